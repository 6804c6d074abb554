// A fatal failure cancels every scope on its way, supervisors too, and leaves them naked.
#include <coppice/gather.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

// A type of somebody else's, and one like it that nobody has marked.
namespace fatal_test {
struct exit_request {
  int code;
};
struct unmarked_request {
  int code;
};
}  // namespace fatal_test

template <>
inline const bool coppice::is_fatal_error<fatal_test::exit_request> =
    coppice::register_fatal_error(typeid(fatal_test::exit_request));

namespace coppice {
namespace {

using namespace std::chrono_literals;

using fatal_test::exit_request;
using fatal_test::unmarked_request;
using testing::ElementsAre;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::report_log;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

class Fatal : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, Fatal, testing::Values(1u, 2u, 4u));

struct disk_gone : fatal_error {
  using fatal_error::fatal_error;
};

task<> die_after(duration d, std::string text) {
  co_await sleep_for(d);
  throw disk_gone(text);
}

// ---- Which types are ----------------------------------------------------------------------------

TEST(FatalType, IsOneDerivedFromFatalError) {
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(fatal_error("itself"))));
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(disk_gone("derived"))));
  EXPECT_FALSE(is_fatal(std::make_exception_ptr(std::runtime_error("its base"))));
  EXPECT_FALSE(is_fatal(nullptr));
}

TEST(FatalType, IsOneThatIsRegistered) {
  EXPECT_TRUE(is_fatal_error<exit_request>);
  EXPECT_TRUE(is_fatal(std::make_exception_ptr(exit_request{1})));
  EXPECT_FALSE(is_fatal(std::make_exception_ptr(unmarked_request{1})));
  EXPECT_FALSE(is_fatal(std::make_exception_ptr(5)));
}

// ---- In a supervisor ----------------------------------------------------------------------------

TEST_P(Fatal, A9CancelsASupervisorAndLeavesItNaked) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> sibling;
    const auto body = [&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      sibling = s.spawn(sleeper(1h));
      s.spawn(die_after(1s, "gone"));
      co_await sleep_for(1h);
      ADD_FAILURE() << "the body goes on";
    };
    EXPECT_THROW(co_await with_supervisor(body), disk_gone);
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(sibling.result().reason().kind(), cancel_kind::fatal);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_EQ(log.size(), 0u) << "it was thrown, so it is not reported";
}

TEST_P(Fatal, A9OfARegisteredTypeLikewise) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    int code = 0;
    const auto body = [](supervisor& s) -> task<> {
      s.spawn(sleeper(1h));
      s.spawn([] { throw exit_request{3}; });
      co_return;
    };
    try {
      co_await with_supervisor(body);
    } catch (const exit_request& request) {
      code = request.code;
    }
    EXPECT_EQ(code, 3);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(Fatal, A9AnUnmarkedTypeIsAFailureAsAnyOther) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn([] { throw unmarked_request{3}; });
      co_return;
    });
  });
  EXPECT_EQ(log.size(), 1u);
}

TEST_P(Fatal, A9WaitsForThoseThatResist) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [](supervisor& s) -> task<> {
      s.spawn(shielded_sleeper(1h));
      s.spawn(die_after(1s, "gone"));
      co_return;
    };
    EXPECT_THROW(co_await with_supervisor(body), disk_gone);
    EXPECT_EQ(test_clock().elapsed(), 1h);
  });
}

TEST_P(Fatal, A9LeavesASupervisorThatIsBeingShutDown) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [](supervisor& s) -> task<> {
      s.spawn([]() -> task<> {
        (void)co_await as_result(sleep_for(1h));
        throw disk_gone("gone");
      });
      co_await sleep_for(1s);
      s.request_shutdown();
      co_await checkpoint();
    };
    EXPECT_THROW(co_await with_supervisor(body), disk_gone);
  });
}

TEST_P(Fatal, A9TheFailuresBesideItAreReported) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn(fail_after(1s, "before"));
      s.spawn(fail_when_stopped("because of it"));
      s.spawn(die_after(2s, "gone"));
      co_await sleep_for(1h);
    };
    EXPECT_THROW(co_await with_supervisor(body), disk_gone);
  });
  EXPECT_THAT(log.messages(), ElementsAre("because of it", "before"));
}

TEST_P(Fatal, A9ABodysFailureIsReportedBesideIt) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto body = [](supervisor& s) -> task<> {
      s.spawn(die_after(1s, "gone"));
      co_await fail_when_stopped("body");
    };
    EXPECT_THROW(co_await with_supervisor(body), disk_gone);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "body");
  EXPECT_EQ(reports[0].origin, error_origin::suppressed);
}

// ---- In a group ---------------------------------------------------------------------------------

TEST_P(Fatal, A9LeavesAGroupNakedAndNotAsAGroup) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto body = [](task_group& g) -> task<> {
      g.spawn(die_after(1s, "gone"));
      g.spawn(fail_when_stopped("sibling"));
      co_await sleep_for(1h);
    };
    EXPECT_THROW(co_await with_group(body), disk_gone);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "sibling");
  EXPECT_EQ(reports[0].origin, error_origin::suppressed);
}

TEST_P(Fatal, A9BeatsAFailureThatCameFirst) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto body = [](task_group& g) -> task<> {
      g.spawn(fail_after(1s, "first"));
      g.spawn([]() -> task<> {
        (void)co_await as_result(sleep_for(1h));
        throw disk_gone("gone");
      });
      co_return;
    };
    EXPECT_THROW(co_await with_group(body), disk_gone);
  });
  EXPECT_THAT(log.messages(), ElementsAre("first"));
}

TEST_P(Fatal, A9CancelsAlsoAGroupThatLetsTheOthersFinish) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> sibling;
    const auto body = [&](task_group& g) -> task<> {
      sibling = g.spawn(sleeper(1h));
      g.spawn(die_after(1s, "gone"));
      co_return;
    };
    EXPECT_THROW(co_await with_group({.on_failure = on_child_failure::collect_all}, body),
                 disk_gone);
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(Fatal, A9OfTwoOneLeavesAndTheOtherIsReported) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto body = [](task_group& g) -> task<> {
      g.spawn(die_after(1s, "first"));
      g.spawn([]() -> task<> {
        (void)co_await as_result(sleep_for(1h));
        throw disk_gone("second");
      });
      co_return;
    };
    const outcome<> seen = co_await as_result(with_group(body));
    EXPECT_EQ(seen.entry().message(), "first");
  });
  EXPECT_THAT(log.messages(), ElementsAre("second"));
}

// ---- Through all outer scopes -------------------------------------------------------------------

TEST_P(Fatal, A9GoesThroughAllOuterScopes) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<>> siblings;
    const auto innermost = [&](task_group& g) -> task<> {
      siblings.push_back(g.spawn(sleeper(1h)));
      g.spawn(die_after(1s, "gone"));
      co_return;
    };
    const auto child = [&]() -> task<> { co_await with_timeout(1h, with_group(innermost)); };
    const auto middle = [&](supervisor& s) -> task<> {
      siblings.push_back(s.spawn(sleeper(1h)));
      s.spawn(child);
      co_await sleep_for(1h);
    };
    const auto outer = [&](task_group& g) -> task<> {
      siblings.push_back(g.spawn(sleeper(1h)));
      g.spawn([&]() -> task<> { co_await with_supervisor(middle); });
      co_await sleep_for(1h);
    };
    EXPECT_THROW(co_await with_group(outer), disk_gone);
    EXPECT_EQ(siblings.size(), 3u);
    for (const task_handle<>& each : siblings) {
      EXPECT_EQ(each.status(), task_status::cancelled);
    }
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(Fatal, A9LeavesAManualSupervisorWhenItIsClosed) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    const task_handle<> sibling = jobs.spawn(sleeper(1h));
    jobs.spawn(die_after(1s, "gone"));
    EXPECT_THROW(co_await jobs.close(), disk_gone);
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(Fatal, A9LeavesTheRuntimeNaked) {
  std::atomic<bool> went_on{false};
  test_runtime rt{{.workers = GetParam()}};
  EXPECT_THROW(rt.block_on([&]() -> task<> {
    spawn(die_after(1s, "gone"));
    co_await sleep_for(1h);
    went_on = true;
  }),
               disk_gone);
  EXPECT_FALSE(went_on.load());
  EXPECT_EQ(rt.clock().elapsed(), 1s);
}

TEST_P(Fatal, A9OfTheMainTaskItselfCancelsTheOthers) {
  test_runtime rt{{.workers = GetParam()}};
  task_handle<> other;
  EXPECT_THROW(rt.block_on([&]() -> task<> {
    other = spawn(sleeper(1h));
    co_await sleep_for(1s);
    throw disk_gone("main");
  }),
               disk_gone);
  EXPECT_EQ(other.status(), task_status::cancelled);
}

TEST_P(Fatal, TheRuntimeCanBeUsedAgain) {
  test_runtime rt{{.workers = GetParam()}};
  EXPECT_THROW(rt.block_on([&]() -> task<> {
    spawn(die_after(1s, "gone"));
    co_await sleep_for(1h);
  }),
               disk_gone);
  EXPECT_EQ(rt.block_on(testing_support::number_after, 1s, 7), 7);
}

}  // namespace
}  // namespace coppice
