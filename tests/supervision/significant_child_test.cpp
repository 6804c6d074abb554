// auto_shutdown: supervisors that end with children that matter.
#include <coppice/supervisor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::settled;
using testing_support::stage;
using testing_support::task_of;
using testing_support::texts;

class SignificantChild : public testing_support::tree_test {
 protected:
  // With "plain", and two that matter: "s" and "t", of that type. What happened from the body's beginning; "over" if
  // the supervisor has ended before the body asked it to.
  template <class Body>
  texts run(shutdown_trigger trigger, restart_type type, Body body) {
    stage on;
    test_runtime rt(workers());
    rt.set_error_handler([](const error_report&) {});
    rt.block_on([&]() -> task<> {
      const std::vector<child_spec> specs = {on.child("plain"), on.child("s", type).significant(),
                                             on.child("t", type).significant()};
      const auto around = [&](supervisor& s) -> task<> {
        on.take();
        co_await body(on, s);
        co_await settled();
        on.say("asked");
        co_await s.shutdown();
      };
      co_await with_supervisor({.auto_shutdown = trigger}, specs, around);
    });
    return on.take();
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, SignificantChild, testing::Values(1u, 2u, 4u));

TEST_P(SignificantChild, AnyShutsDownWhenATransientOneReturns) {
  const auto body = [](stage& on, supervisor&) -> task<> {
    on.finish("s");
    co_return;
  };
  EXPECT_EQ(run(shutdown_trigger::any_significant, restart_type::transient, body),
            (texts{"-s", "-t", "-plain"}));
}

TEST_P(SignificantChild, AnyShutsDownWhenATemporaryOneFails) {
  const auto body = [](stage& on, supervisor&) -> task<> {
    on.fail("t");
    co_return;
  };
  EXPECT_EQ(run(shutdown_trigger::any_significant, restart_type::temporary, body),
            (texts{"-t", "-s", "-plain"}));
}

TEST_P(SignificantChild, OneThatIsCancelledByItsHandleHasEndedByItself) {
  const auto body = [](stage&, supervisor& s) -> task<> {
    task_of(s, "s").cancel();
    co_return;
  };
  EXPECT_EQ(run(shutdown_trigger::any_significant, restart_type::transient, body),
            (texts{"-s", "-t", "-plain"}));
}

TEST_P(SignificantChild, ATransientOneThatFailsIsRestarted) {
  const auto body = [](stage& on, supervisor&) -> task<> {
    on.fail("s");
    co_return;
  };
  EXPECT_EQ(run(shutdown_trigger::any_significant, restart_type::transient, body),
            (texts{"-s", "+s", "asked", "-t", "-s", "-plain"}));
}

TEST_P(SignificantChild, OneThatWasTerminatedShutsNothingDown) {
  const auto body = [](stage&, supervisor& s) -> task<> { co_await s.terminate_child("s"); };
  EXPECT_EQ(run(shutdown_trigger::any_significant, restart_type::transient, body),
            (texts{"-s", "asked", "-t", "-plain"}));
}

TEST_P(SignificantChild, OneThatMattersNotShutsNothingDown) {
  const auto body = [](stage&, supervisor& s) -> task<> {
    co_await s.terminate_child("plain");
    co_await s.delete_child("plain");
  };
  EXPECT_EQ(run(shutdown_trigger::all_significant, restart_type::temporary, body),
            (texts{"-plain", "asked", "-t", "-s"}));
}

TEST_P(SignificantChild, AllShutsDownWhenTheLastHasEnded) {
  const auto body = [](stage& on, supervisor& s) -> task<> {
    on.finish("t");
    co_await settled();
    EXPECT_FALSE(s.cancelled());
    on.fail("s");
  };
  EXPECT_EQ(run(shutdown_trigger::all_significant, restart_type::temporary, body),
            (texts{"-t", "-s", "-plain"}));
}

TEST_P(SignificantChild, AllCountsNotOneThatWasTerminated) {
  const auto body = [](stage& on, supervisor& s) -> task<> {
    co_await s.terminate_child("t");
    on.finish("s");
  };
  EXPECT_EQ(run(shutdown_trigger::all_significant, restart_type::transient, body),
            (texts{"-t", "-s", "-plain"}));
}

TEST_P(SignificantChild, AllWaitsForOneThatIsToBeRestarted) {
  stage on;
  test_runtime rt(workers());
  rt.set_error_handler([](const error_report&) {});
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {
        on.child("s", restart_type::transient).significant().backoff({.initial = 1h, .jitter = 0}),
        on.child("t", restart_type::transient).significant()};
    const auto body = [&](supervisor& s) -> task<> {
      on.fail("s");
      co_await settled();
      on.finish("t");
      co_await settled();
      EXPECT_FALSE(s.cancelled());
      co_await sleep_for(2h);
      EXPECT_TRUE(task_of(s, "s"));
      on.finish("s");
      co_await sleep_for(1h);
      ADD_FAILURE() << "it has not shut down";
    };
    co_await with_supervisor({.auto_shutdown = shutdown_trigger::all_significant}, specs, body);
  });
}

TEST_P(SignificantChild, TheCodeBehindTheScopeRuns) {
  stage on;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const std::vector<child_spec> specs = {
        on.child("a"), child_spec("s", [] { return testing_support::sleeper(1s); })
                           .restart(restart_type::temporary)
                           .significant()};
    co_await supervise({.auto_shutdown = shutdown_trigger::any_significant}, specs);
    EXPECT_EQ(test_clock().elapsed(), 1s);
    on.say("behind");
  });
  EXPECT_EQ(on.take(), (texts{"+a", "-a", "behind"}));
}

}  // namespace
}  // namespace coppice
