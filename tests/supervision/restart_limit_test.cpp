// How many restarts are allowed within the period, and what happens when there is one more.
#include <coppice/supervisor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
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
using testing_support::info_of;
using testing_support::report_log;
using testing_support::settled;
using testing_support::stage;
using testing_support::supervised;
using testing_support::task_of;
using testing_support::texts;

class RestartLimit : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, RestartLimit, testing::Values(1u, 2u, 4u));

TEST_P(RestartLimit, ExactlyAsManyAreAllowed) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto specs = on.children({"a"});
  const auto body = [&](supervisor& s) -> task<> {
    for (unsigned i = 1; i != 4; ++i) {
      on.fail("a");
      co_await settled();
      EXPECT_EQ(info_of(s, "a").restarts, i);
    }
    EXPECT_TRUE(task_of(s, "a"));
    EXPECT_FALSE(s.cancelled());
  };
  supervised(rt, {.max_restarts = 3, .period = 5s}, specs, body);
}

TEST_P(RestartLimit, OneMoreStopsAllInReverseAndLeavesNaked) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const auto specs = on.children({"a", "b", "c"});
    bool caught = false;
    const auto body = [&](supervisor&) -> task<> {
      for (int i = 0; i != 3; ++i) {
        on.fail("b");
        co_await settled();
      }
      on.take();
      on.fail("b");
      co_await sleep_for(1h);
    };
    try {
      co_await with_supervisor({.name = "jobs", .max_restarts = 3}, specs, body);
    } catch (const restart_limit_exceeded& error) {
      caught = true;
      EXPECT_EQ(error.child(), "b");
      EXPECT_EQ(error.restarts(), 4u) << "with the one that there was not";
      EXPECT_THAT(error.what(), HasSubstr("supervisor \"jobs\""));
      EXPECT_THAT(error.what(), HasSubstr("b broke"));
      EXPECT_THROW(std::rethrow_exception(error.cause()), std::runtime_error);
    }
    EXPECT_TRUE(caught);
    EXPECT_EQ(on.take(), (texts{"-b", "-c", "-a"}));
    EXPECT_LT(test_clock().elapsed(), 1s) << "the body was stopped as well";
  });
}

TEST_P(RestartLimit, TheWindowSlides) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto specs = on.children({"a"});
  const auto body = [&](supervisor& s) -> task<> {
    for (int i = 0; i != 50; ++i) {
      on.fail("a");
      co_await sleep_for(2501ms);  // Never more than two in 5 s.
      EXPECT_TRUE(task_of(s, "a"));
    }
  };
  supervised(rt, {.max_restarts = 2, .period = 5s}, specs, body);
}

TEST_P(RestartLimit, ARestartExactlyThePeriodAgoCounts) {
  for (const duration apart : {5s + 0ns, 5s + 1ns}) {
    stage on;
    test_runtime rt(workers());
    be_quiet(rt);
    const bool given_up = rt.block_on([&]() -> task<bool> {
      const auto fails_after = [&]() -> task<> {
        co_await sleep_for(apart);
        throw std::runtime_error("broke");
      };
      bool caught = false;
      const std::vector<child_spec> specs = {child_spec("a", fails_after)};
      try {
        const auto body = [&](supervisor& s) -> task<> {
          co_await sleep_for(3 * apart - 1ns);
          co_await s.shutdown();
        };
        co_await with_supervisor({.max_restarts = 1, .period = 5s}, specs, body);
      } catch (const restart_limit_exceeded&) {
        caught = true;
      }
      co_return caught;
    });
    EXPECT_EQ(given_up, apart == 5s);
  }
}

TEST_P(RestartLimit, OfNoneNeverRestarts) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const auto specs = on.children({"a"});
    const auto body = [&](supervisor&) -> task<> {
      on.take();
      on.finish("a");
      co_await sleep_for(1h);
    };
    try {
      co_await with_supervisor({.max_restarts = 0}, specs, body);
      ADD_FAILURE() << "it has not given up";
    } catch (const restart_limit_exceeded& error) {
      EXPECT_EQ(error.cause(), nullptr) << "the child returned";
    }
    EXPECT_EQ(on.take(), (texts{"-a"}));
  });
}

TEST_P(RestartLimit, CountsTheRestartsOfAllChildrenTogether) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const auto specs = on.children({"a", "b", "c"});
    std::string child;
    const auto body = [&](supervisor&) -> task<> {
      for (const char* each : {"a", "b", "c"}) {
        on.fail(each);
        co_await settled();
      }
      co_await sleep_for(1h);
    };
    try {
      co_await with_supervisor({.max_restarts = 2}, specs, body);
    } catch (const restart_limit_exceeded& error) {
      child = error.child();
    }
    EXPECT_EQ(child, "c");
  });
}

TEST_P(RestartLimit, ARestartOfAllCountsOnce) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto specs = on.children({"a", "b", "c"});
  const auto body = [&](supervisor& s) -> task<> {
    on.fail("b");
    co_await settled();
    EXPECT_TRUE(task_of(s, "a"));
  };
  supervised(rt, {.strategy = restart_strategy::one_for_all, .max_restarts = 1}, specs, body);
}

TEST_P(RestartLimit, FailingStartsCountAndAreTriedAgain) {
  stage on;
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  const auto specs = on.children({"a"});
  const auto body = [&](supervisor& s) -> task<> {
    on.take();
    on.fail_starts("a", 2);
    on.fail("a");
    co_await settled();
    EXPECT_EQ(on.take(), (texts{"-a", "!a", "!a", "+a"}));
    EXPECT_EQ(info_of(s, "a").restarts, 3u);
    EXPECT_FALSE(info_of(s, "a").restarting);
  };
  supervised(rt, {.max_restarts = 3}, specs, body);
  EXPECT_THAT(log.messages(), ElementsAre("a broke", "a cannot start", "a cannot start"));
}

TEST_P(RestartLimit, FailingStartsAreGivenUpAsWell) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const auto specs = on.children({"a", "b"});
    const auto body = [&](supervisor&) -> task<> {
      on.take();
      on.fail_starts("b", 100);
      on.fail("b");
      co_await sleep_for(1h);
    };
    std::string why;
    try {
      co_await with_supervisor({.max_restarts = 3}, specs, body);
    } catch (const restart_limit_exceeded& error) {
      why = error.what();
    }
    EXPECT_THAT(why, HasSubstr("b cannot start"));
    EXPECT_EQ(on.take(), (texts{"-b", "!b", "!b", "!b", "-a"}));
  });
}

TEST_P(RestartLimit, AStartThatFailsInARestartOfAllStopsThoseBeforeIt) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto specs = on.children({"a", "b", "c"});
  const auto body = [&](supervisor&) -> task<> {
    on.take();
    on.fail_starts("b", 1);
    on.fail("c");
    co_await settled();
    EXPECT_EQ(on.take(), (texts{"-c", "-b", "-a", "+a", "!b", "-a", "+a", "+b", "+c"}));
  };
  supervised(rt, {.strategy = restart_strategy::one_for_all}, specs, body);
}

TEST_P(RestartLimit, AStartThatFailsInARestartOfTheRestLeavesThoseBeforeIt) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto specs = on.children({"a", "b", "c"});
  const auto body = [&](supervisor&) -> task<> {
    on.take();
    on.fail_starts("b", 1);
    on.fail("a");
    co_await settled();
    EXPECT_EQ(on.take(), (texts{"-a", "-c", "-b", "+a", "!b", "+b", "+c"}));
  };
  supervised(rt, {.strategy = restart_strategy::rest_for_one}, specs, body);
}

// ---- Escalation ---------------------------------------------------------------------------------

// A tree of three: the leaf always breaks at once, each level restarts what is below twice.
TEST_P(RestartLimit, EscalatesThroughThreeLevels) {
  int leaves = 0;  // By one supervisor at a time.
  int middles = 0;
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto leaf = [&]() -> task<> {
      ++leaves;
      co_await yield();
      throw std::runtime_error("leaf broke");
    };
    const std::vector<child_spec> below = {child_spec("leaf", leaf)};
    const auto middle = [&]() -> task<> {
      ++middles;
      return supervise({.name = "middle", .max_restarts = 2}, below);
    };
    const std::vector<child_spec> above = {
        child_spec("middle", middle).type(child_type::supervisor)};
    std::string why;
    try {
      co_await supervise({.name = "top", .max_restarts = 2}, above);
    } catch (const restart_limit_exceeded& error) {
      why = error.what();
      EXPECT_EQ(error.child(), "middle");
      try {
        std::rethrow_exception(error.cause());
      } catch (const restart_limit_exceeded& cause) {
        EXPECT_EQ(cause.child(), "leaf");
        EXPECT_THROW(std::rethrow_exception(cause.cause()), std::runtime_error);
      }
    }
    EXPECT_THAT(why, HasSubstr("supervisor \"top\" gave up: child \"middle\""));
  });
  EXPECT_EQ(middles, 3);
  EXPECT_EQ(leaves, 9);
  EXPECT_EQ(log.size(), 9u + 3u) << "each failure once, of each level";
}

TEST_P(RestartLimit, OfATransientSupervisorIsAFailureAndRestartsIt) {
  int middles = 0;
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const auto leaf = [&]() -> task<> {
      co_await yield();
      throw std::runtime_error("leaf broke");
    };
    const std::vector<child_spec> below = {child_spec("leaf", leaf)};
    const auto middle = [&]() -> task<> {
      if (++middles == 2) {
        return testing_support::sleeper(1s);
      }
      return supervise({.max_restarts = 0}, below);
    };
    const std::vector<child_spec> above = {
        child_spec("middle", middle).restart(restart_type::transient)};
    co_await supervise({}, above);
  });
  EXPECT_EQ(middles, 2);
}

TEST_P(RestartLimit, ABodysFailureBehindItIsReported) {
  stage on;
  report_log log;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto specs = on.children({"a"});
    const auto body = [&](supervisor&) -> task<> {
      on.fail("a");
      static_cast<void>(co_await as_result(sleep_for(1h)));
      throw std::runtime_error("body broke");
    };
    EXPECT_THROW(co_await with_supervisor({.max_restarts = 0}, specs, body),
                 restart_limit_exceeded);
  });
  EXPECT_THAT(log.messages(), ElementsAre("a broke", "body broke"));
}

TEST_P(RestartLimit, OfAManualSupervisorIsThrownByClose) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    manual_supervisor s{{.name = "manual", .max_restarts = 0}};
    s.open();
    const child_spec a = on.child("a");
    co_await s.start_child(a);
    on.fail("a");
    EXPECT_THROW(co_await s.close(), restart_limit_exceeded);
    EXPECT_FALSE(s.is_open());
  });
}

}  // namespace
}  // namespace coppice
