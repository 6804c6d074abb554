// Who hears of failures: the nearest handler, once, with what is known, before the scope exits.
#include <coppice/gather.h>
#include <coppice/race.h>
#include <coppice/report.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "tests/support/captured_stderr.h"
#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::captured_stderr;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::failing;
using testing_support::report_log;
using testing_support::sleeper;

class Reporting : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, Reporting, testing::Values(1u, 2u, 4u));

// ---- Which handler ------------------------------------------------------------------------------

TEST_P(Reporting, TheNearestHandlerWins) {
  report_log runtimes;
  report_log outer_log;
  report_log inner_log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(runtimes.handler());
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& outer) -> task<> {
      outer.on_error(outer_log.handler());
      co_await with_supervisor([&](supervisor& inner) -> task<> {
        inner.on_error(inner_log.handler());
        inner.spawn(failing("inner"));
        outer.spawn(failing("outer"));
        co_return;
      });
    });
    spawn(failing("root"));
    co_await sleep_for(1s);
  });
  EXPECT_THAT(inner_log.messages(), ElementsAre("inner"));
  EXPECT_THAT(outer_log.messages(), ElementsAre("outer"));
  EXPECT_THAT(runtimes.messages(), ElementsAre("root"));
}

TEST_P(Reporting, WithoutAHandlerOfItsOwnTheNextOneOutwardsHears) {
  report_log runtimes;
  report_log outer_log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(runtimes.handler());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& outer) -> task<> {
      outer.on_error(outer_log.handler());
      co_await with_supervisor([](supervisor& s) -> task<> {
        s.spawn(failing("below the scope"));
        co_return;
      });
    });
    co_await with_supervisor([](supervisor& s) -> task<> {
      s.spawn(failing("beside it"));
      co_return;
    });
  });
  EXPECT_THAT(outer_log.messages(), ElementsAre("below the scope"));
  EXPECT_THAT(runtimes.messages(), ElementsAre("beside it"));
}

TEST_P(Reporting, OnErrorGivesThePreviousHandlerBack) {
  report_log first;
  report_log second;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      EXPECT_FALSE(static_cast<bool>(s.on_error(first.handler())));
      error_handler before = s.on_error(second.handler());
      s.spawn(failing("for the second"));
      co_await sleep_for(1s);
      s.on_error(std::move(before));
      s.spawn(failing("for the first"));
    });
  });
  EXPECT_THAT(first.messages(), ElementsAre("for the first"));
  EXPECT_THAT(second.messages(), ElementsAre("for the second"));
}

TEST_P(Reporting, TheFreeFormSetsTheHandlerOfTheTasksRuntime) {
  report_log before;
  report_log after;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(before.handler());
  rt.block_on([&]() -> task<> {
    const error_handler previous = set_error_handler(after.handler());
    EXPECT_TRUE(static_cast<bool>(previous));
    spawn(failing("after"));
    co_await sleep_for(1s);
  });
  EXPECT_EQ(before.size(), 0u);
  EXPECT_THAT(after.messages(), ElementsAre("after"));
}

TEST(ReportingOutside, TheFreeFormIsForTasks) {
  EXPECT_THROW(set_error_handler({}), usage_error);
}

// ---- What it is told ----------------------------------------------------------------------------

TEST_P(Reporting, TellsWhoFailedAndWhereAndBelowWhom) {
  report_log log;
  std::uint32_t line = 0;
  task_id id = task_id::none;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto hosting = [&]() -> task<> {
      co_await with_supervisor({.name = "jobs"}, [&](supervisor& s) -> task<> {
        const task_handle<> child = s.spawn({.name = "fetch"}, failing("no route"));
        line = __builtin_LINE() - 1;
        id = child.id();
        co_return;
      });
    };
    co_await spawn({.name = "host"}, hosting);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  const error_report& report = reports[0];
  EXPECT_EQ(report.origin, error_origin::child);
  EXPECT_EQ(report.scope, "jobs");
  EXPECT_EQ(report.entry.message(), "no route");
  EXPECT_EQ(report.entry.name(), "fetch");
  EXPECT_EQ(report.entry.id(), id);
  EXPECT_EQ(report.entry.site().line, line);
  EXPECT_EQ(report.entry.context(), nullptr);
  const auto jobs = std::find(report.parents.begin(), report.parents.end(), "jobs");
  const auto host = std::find(report.parents.begin(), report.parents.end(), "host");
  EXPECT_LT(jobs, host) << "from the failing task to the root";
  EXPECT_NE(host, report.parents.end());
}

TEST_P(Reporting, TellsWhyTheTaskWasBeingCancelled) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn(fail_when_stopped("in cleanup"));
      co_await sleep_for(1s);
      s.cancel("too slow");
    });
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  ASSERT_NE(reports[0].entry.context(), nullptr);
  EXPECT_EQ(reports[0].entry.context()->message(), "too slow");
  std::ostringstream text;
  text << reports[0];
  EXPECT_THAT(text.str(), HasSubstr("too slow"));
}

TEST_P(Reporting, AReportMayBeKeptWhenAllElseIsGone) {
  report_log log;
  {
    test_runtime rt{{.workers = GetParam()}};
    rt.set_error_handler(log.handler());
    rt.block_on([&]() -> task<> {
      const std::string name(100, 'n');
      spawn({.name = name}, failing("kept"));
      co_await sleep_for(1s);
    });
  }
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.name(), std::string(100, 'n'));
  EXPECT_EQ(reports[0].entry.message(), "kept");
}

TEST_P(Reporting, TheDefaultPrintsNamesScopesAndText) {
  const captured_stderr captured;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "jobs"}, [](supervisor& s) -> task<> {
      s.spawn({.name = "fetch"}, failing("no route"));
      co_return;
    });
  });
  const std::string text = captured.text();
  EXPECT_THAT(text, HasSubstr("no route"));
  EXPECT_THAT(text, HasSubstr("fetch"));
  EXPECT_THAT(text, HasSubstr("jobs"));
  EXPECT_EQ(text.find("no route"), text.rfind("no route")) << text;
}

TEST_P(Reporting, AnEmptyHandlerRestoresTheDefault) {
  report_log log;
  const captured_stderr captured;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  EXPECT_TRUE(static_cast<bool>(rt.set_error_handler({})));
  rt.block_on([&]() -> task<> {
    spawn(failing("printed"));
    co_await sleep_for(1s);
  });
  EXPECT_EQ(log.size(), 0u);
  EXPECT_THAT(captured.text(), HasSubstr("printed"));
}

// ---- When ---------------------------------------------------------------------------------------

TEST_P(Reporting, A14TellsBeforeTheScopeExits) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    for (std::size_t i = 1; i <= 100; ++i) {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        s.on_error(log.handler());
        s.spawn(failing("last of all"));
        co_return;
      });
      EXPECT_EQ(log.size(), i);
    }
  });
}

TEST_P(Reporting, A14NoneIsLostWhileTheHandlerIsReplaced) {
  constexpr int failures = 1'000;
  std::atomic<int> told{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      const error_handler count = [&](const error_report&) { told.fetch_add(1); };
      s.on_error(count);
      for (int i = 0; i != failures; ++i) {
        s.spawn(failing("one of many"));
        if (i % 8 == 0) {
          s.on_error(count);
          co_await yield();
        }
      }
    });
  });
  EXPECT_EQ(told.load(), failures);
}

TEST_P(Reporting, AHandlerMayEndTheSupervisor) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> sibling;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error([&s](const error_report&) { s.request_shutdown(); });
      sibling = s.spawn(sleeper(1h));
      s.spawn(fail_after(1s, "enough"));
      co_await sleep_for(1h);
    });
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

// ---- Handlers that throw ------------------------------------------------------------------------

TEST_P(Reporting, WhatAHandlerThrowsGoesToTheNextOneOutwards) {
  report_log outer_log;
  std::atomic<int> told{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& outer) -> task<> {
      outer.on_error(outer_log.handler());
      co_await with_supervisor([&](supervisor& inner) -> task<> {
        inner.on_error([&](const error_report&) {
          told.fetch_add(1);
          throw std::logic_error("the handler");
        });
        inner.spawn(failing("the child"));
        co_return;
      });
    });
  });
  EXPECT_EQ(told.load(), 1);
  const std::vector<error_report> reports = outer_log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].origin, error_origin::handler);
  EXPECT_EQ(reports[0].entry.message(), "the handler");
}

TEST_P(Reporting, WhatTheOutermostHandlerThrowsIsPrinted) {
  const captured_stderr captured;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler([](const error_report&) { throw std::logic_error("the outermost"); });
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error([](const error_report&) { throw std::logic_error("the inner"); });
      s.spawn(failing("the child"));
      co_return;
    });
  });
  EXPECT_THAT(captured.text(), HasSubstr("the outermost"));
}

TEST_P(Reporting, WhatACallbackOfOnDoneThrowsIsReported) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn(sleeper(1s)).on_done([] { throw std::logic_error("callback"); });
      co_return;
    });
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].origin, error_origin::handler);
  EXPECT_EQ(reports[0].entry.message(), "callback");
}

// ---- Failures that lost -------------------------------------------------------------------------

TEST_P(Reporting, A18GatherThrowsTheFirstNakedAndReportsTheOthers) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const outcome<std::tuple<std::monostate, std::monostate>> seen =
        co_await as_result(gather(fail_after(1s, "first"), fail_when_stopped("second")));
    EXPECT_TRUE(seen.failed());
    EXPECT_EQ(seen.entry().message(), "first");
    EXPECT_EQ(seen.entry().get_if<exception_group>(), nullptr);
    EXPECT_EQ(seen.entry().suppressed().size(), 1u);
    for (const error_entry& each : seen.entry().suppressed()) {
      EXPECT_EQ(each.message(), "second");
    }
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "second");
  EXPECT_EQ(reports[0].origin, error_origin::suppressed);
}

TEST_P(Reporting, A18TheLosersOfARaceAreReportedToTheNearestHandler) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.on_error(log.handler());
      const auto won = co_await race(sleeper(1s), fail_when_stopped("loser"));
      EXPECT_EQ(won.index, 0u);
    });
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "loser");
  EXPECT_EQ(reports[0].origin, error_origin::suppressed);
}

}  // namespace
}  // namespace coppice
