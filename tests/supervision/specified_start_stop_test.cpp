// Specified children are started in order and stopped in reverse, each in its own time.
#include <coppice/supervisor.h>
#include <coppice/task_local.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::be_quiet;
using testing_support::report_log;
using testing_support::settled;
using testing_support::stage;
using testing_support::supervised;
using testing_support::task_of;
using testing_support::texts;

class StartStop : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, StartStop, testing::Values(1u, 2u, 4u));

// ---- Starts -------------------------------------------------------------------------------------

TEST_P(StartStop, EachStartsWhenTheOneBeforeHasSaidSoAndThenTheBody) {
  stage on;
  on.start_takes("a", 3s);
  on.start_takes("b", 2s);
  test_runtime rt(workers());
  const auto specs = on.children({"a", "b", "c"});
  const auto body = [&](supervisor&) -> task<> {
    on.say("body");
    EXPECT_EQ(test_clock().elapsed(), 5s);
    co_return;
  };
  supervised(rt, {}, specs, body);
  EXPECT_EQ(on.take(), (texts{"+a", "+b", "+c", "body", "-c", "-b", "-a"}));
}

TEST_P(StartStop, WithoutAGateAChildHasStartedWhenItIsSpawned) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {
        child_spec("slow", [] { return testing_support::sleeper(1h); }),
        child_spec("fast", [] { return testing_support::sleeper(1h); })};
    const auto body = [&](supervisor& s) -> task<> {
      EXPECT_EQ(test_clock().elapsed(), 0s);
      EXPECT_EQ(s.size(), 2u);
      EXPECT_EQ(task_of(s, "slow").name(), "slow");
      co_await s.shutdown();
    };
    co_await with_supervisor({}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(StartStop, AStartThatFailsUndoesTheEarlierOnes) {
  stage on;
  on.fail_starts("c", 1);
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto specs = on.children({"a", "b", "c", "d"});
    bool caught = false;
    const auto body = [&](supervisor&) -> task<> {
      ADD_FAILURE() << "the body runs";
      co_return;
    };
    try {
      co_await with_supervisor({}, specs, body);
    } catch (const start_error& error) {
      caught = true;
      EXPECT_THAT(error.what(), HasSubstr("c"));
      EXPECT_THROW(std::rethrow_exception(error.cause()), std::runtime_error);
    }
    EXPECT_TRUE(caught);
  });
  EXPECT_EQ(on.take(), (texts{"+a", "+b", "!c", "-b", "-a"}));
  EXPECT_EQ(log.size(), 0u) << "what was thrown is not reported";
}

TEST_P(StartStop, AChildThatReturnsBeforeItHasStartedIsIgnored) {
  stage on;
  on.ignore_starts("b", 1);
  test_runtime rt(workers());
  const auto specs = on.children({"a", "b", "c"});
  const auto body = [&](supervisor& s) -> task<> {
    EXPECT_FALSE(task_of(s, "b"));
    EXPECT_EQ(s.count_children().specs, 3u);
    EXPECT_EQ(s.count_children().active, 2u);
    co_return;
  };
  supervised(rt, {}, specs, body);
  EXPECT_EQ(on.take(), (texts{"+a", "~b", "+c", "-c", "-a"}));
}

TEST_P(StartStop, ATemporaryOneThatIsIgnoredIsForgottenAlsoWhenALaterOneFails) {
  stage on;
  on.ignore_starts("b", 1);
  on.fail_starts("d", 1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on.child("a"), on.child("b", restart_type::temporary),
                                           on.child("c"), on.child("d")};
    const auto body = [](supervisor&) -> task<> { co_return; };
    EXPECT_THROW(co_await with_supervisor({}, specs, body), start_error);
  });
  EXPECT_EQ(on.take(), (texts{"+a", "~b", "+c", "!d", "-c", "-a"}));
}

TEST_P(StartStop, TheSpecsAreCopied) {
  stage on;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      on.fail("a");
      co_await settled();
      co_await s.shutdown();
    };
    auto specs = std::make_unique<std::vector<child_spec>>(on.children({"a"}));
    auto supervising = with_supervisor({}, *specs, body);
    specs.reset();
    co_await std::move(supervising);
  });
  EXPECT_EQ(on.take(), (texts{"+a", "-a", "+a", "-a"}));
}

TEST_P(StartStop, ChildrenInheritWhatTheHostHasBound) {
  static task_local<std::string> request;
  std::vector<std::string> seen;  // By one child at a time.
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      seen.push_back(request.value_or("none"));
      if (seen.size() == 1) {
        throw std::runtime_error("once");
      }
      co_return;
    };
    const auto body = [&]() -> task<> {
      const std::vector<child_spec> specs = {
          child_spec("a", child).restart(restart_type::transient)};
      co_await supervise({}, specs);
    };
    co_await request.with("42", body);
  });
  EXPECT_THAT(seen, ElementsAre("42", "42"));
}

// ---- Stops --------------------------------------------------------------------------------------

TEST_P(StartStop, OneStopsWhenTheOneBehindIsGone) {
  stage on;
  on.stop_takes("a", 1s);
  on.stop_takes("b", 2s);
  on.stop_takes("c", 3s);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto specs = on.children({"a", "b", "c"});
    const auto body = [&](supervisor& s) -> task<> { co_await s.shutdown(); };
    co_await with_supervisor({}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 6s);
  });
  EXPECT_EQ(on.take(), (texts{"+a", "+b", "+c", "-c", "-b", "-a"}));
}

TEST_P(StartStop, WhatSpawnStartedStopsAtOnceAndTogether) {
  stage on;
  on.stop_takes("a", 1s);
  on.stop_takes("b", 1s);
  test_runtime rt(workers());
  const auto specs = on.children({"a", "b"});
  const auto spawned = [&]() -> task<> {
    static_cast<void>(co_await as_result(sleep_for(1h)));
    co_await shield(sleep_for(500ms));
    on.say("-spawned at " + std::to_string(test_clock().elapsed() / 1ms));
  };
  const auto body = [&](supervisor& s) -> task<> {
    s.spawn(spawned);
    s.spawn(spawned);
    co_await settled();
    on.take();
  };
  supervised(rt, {}, specs, body);
  EXPECT_EQ(on.take(), (texts{"-spawned at 500", "-spawned at 500", "-b", "-a"}));
}

TEST_P(StartStop, TheReasonIsTheSupervisors) {
  std::string said;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      const outcome<> end = co_await as_result(sleep_for(1h));
      said = end.reason().message();
    };
    const std::vector<child_spec> specs = {child_spec("a", child)};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      co_await s.shutdown(5s, "new settings");
    };
    co_await with_supervisor({}, specs, body);
  });
  EXPECT_EQ(said, "new settings");
}

TEST_P(StartStop, ABrutalStopOverridesShields) {
  stage on;
  on.stop_takes("a", 1h);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on.child("a").shutdown(0s)};
    const auto body = [&](supervisor& s) -> task<> {
      const task_ref a = task_of(s, "a");
      const shutdown_report report = co_await s.shutdown();
      EXPECT_TRUE(report);
      EXPECT_EQ(report.cancelled, 1u);
      EXPECT_EQ(a.status(), task_status::cancelled);
    };
    co_await with_supervisor({}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(StartStop, ABrutalStopReachesThroughNestedShieldsAndSupervisors) {
  stage on;
  on.stop_takes("leaf", 1h);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> leaves = {on.child("leaf").shutdown(forever)};
    const auto nested = [&](start_gate& gate) -> task<> {
      const auto body = [&](supervisor&) -> task<> {
        gate.started();
        co_return;
      };
      co_await shield(with_supervisor({}, leaves, body));
    };
    const std::vector<child_spec> specs = {child_spec("nested", nested).shutdown(0s)};
    const auto body = [&](supervisor& s) -> task<> { co_await s.shutdown(); };
    co_await with_supervisor({}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
  EXPECT_EQ(on.take(), (texts{"+leaf", "-leaf"}));
}

TEST_P(StartStop, ForEverIsWaitedForWhateverTheSupervisorsGrace) {
  stage on;
  on.stop_takes("a", 10h);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {on.child("a").shutdown(forever)};
    const auto body = [&](supervisor& s) -> task<> {
      const shutdown_report report = co_await s.shutdown();
      EXPECT_TRUE(report);
    };
    co_await with_supervisor({.grace = 1s}, specs, body);
    EXPECT_EQ(test_clock().elapsed(), 10h);
  });
}

TEST_P(StartStop, ASupervisorBelowHasAllItsTime) {
  stage on;
  on.stop_takes("leaf", 4s);
  on.stop_takes("second", 4s);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto leaves = on.children({"leaf", "second"});
    const auto nested = [&] { return supervise({}, leaves); };
    const std::vector<child_spec> specs = {
        child_spec("nested", nested).type(child_type::supervisor), on.child("after")};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      on.take();
      co_await s.shutdown();
    };
    co_await with_supervisor({}, specs, body);
  });
  EXPECT_EQ(on.take(), (texts{"-after", "-second", "-leaf"}));
}

}  // namespace
}  // namespace coppice
