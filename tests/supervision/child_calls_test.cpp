// start_child, terminate_child, restart_child, delete_child, and what they refuse.
#include <coppice/supervisor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::has_child;
using testing_support::info_of;
using testing_support::report_log;
using testing_support::settled;
using testing_support::stage;
using testing_support::task_of;
using testing_support::texts;
using testing_support::thrown_by;

// A supervisor with a, b and c for a body of the test's.
class ChildCalls : public testing_support::tree_test {
 protected:
  template <class Body>
  void run(Body body, supervisor_options options = {}) {
    rt_.set_error_handler(log_.handler());
    rt_.block_on([&]() -> task<> {
      const auto specs = on_.children({"a", "b", "c"});
      const auto around = [&](supervisor& s) -> task<> {
        on_.take();
        co_await body(s);
        co_await s.shutdown();
      };
      co_await with_supervisor(options, specs, around);
    });
  }

  stage on_;
  report_log log_;
  test_runtime rt_{workers()};
};
INSTANTIATE_TEST_SUITE_P(Workers, ChildCalls, testing::Values(1u, 2u, 4u));

// ---- start_child --------------------------------------------------------------------------------

TEST_P(ChildCalls, StartAddsBehindTheOthersAndReturnsWhenItHasStarted) {
  on_.start_takes("d", 3s);
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d");
    const child_info info = co_await s.start_child(d);
    EXPECT_EQ(test_clock().elapsed(), 3s);
    EXPECT_EQ(info.id, "d");
    EXPECT_EQ(info.task.name(), "d");
    EXPECT_FALSE(info.restarting);
    EXPECT_EQ(info.restarts, 0u);
    co_await s.shutdown();
    EXPECT_EQ(on_.take(), (texts{"+d", "-d", "-c", "-b", "-a"}));
  });
}

TEST_P(ChildCalls, StartIsRefusedIfTheIdIsTakenAlsoByOneThatDoesNotRun) {
  run([&](supervisor& s) -> task<> {
    const child_spec again = on_.child("b");
    EXPECT_THAT(co_await thrown_by(s.start_child(again)), HasSubstr("\"b\""));
    EXPECT_THROW(co_await s.start_child(again), usage_error);
    co_await s.terminate_child("b");
    EXPECT_THROW(co_await s.start_child(again), usage_error);
    EXPECT_EQ(on_.take(), (texts{"-b"}));
  });
}

TEST_P(ChildCalls, AStartThatFailsThrowsAndAddsNothing) {
  on_.fail_starts("d", 1);
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d");
    EXPECT_THROW(co_await s.start_child(d), start_error);
    EXPECT_FALSE(has_child(s, "d"));
    EXPECT_EQ(on_.take(), (texts{"!d"})) << "it is not tried again";
    co_await s.start_child(d);
    EXPECT_TRUE(task_of(s, "d"));
  });
  EXPECT_EQ(log_.size(), 0u);
}

TEST_P(ChildCalls, OneThatIsCancelledBeforeItHasStartedIsAStartError) {
  on_.start_takes("d", 1h);
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d");
    const task_handle<> other = s.spawn([&]() -> task<> {
      co_await sleep_for(1s);
      task_of(s, "d").cancel("by hand");
    });
    std::string why;
    try {
      co_await s.start_child(d);
    } catch (const start_error& error) {
      why = error.what();
      EXPECT_THROW(std::rethrow_exception(error.cause()), task_cancelled);
    }
    EXPECT_THAT(why, HasSubstr("d"));
    EXPECT_FALSE(has_child(s, "d"));
  });
}

TEST_P(ChildCalls, AnIgnoredStartKeepsTheSpecUnlessItIsTemporary) {
  on_.ignore_starts("d", 1);
  on_.ignore_starts("e", 1);
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d");
    const child_spec e = on_.child("e", restart_type::temporary);
    EXPECT_FALSE((co_await s.start_child(d)).task);
    EXPECT_FALSE((co_await s.start_child(e)).task);
    EXPECT_TRUE(has_child(s, "d"));
    EXPECT_FALSE(has_child(s, "e"));
    EXPECT_TRUE((co_await s.restart_child("d")).task);
  });
}

TEST_P(ChildCalls, StartOverTheLimitIsRefused) {
  run(
      [&](supervisor& s) -> task<> {
        const child_spec d = on_.child("d");
        EXPECT_THROW(co_await s.start_child(d), resource_exhausted);
        EXPECT_FALSE(has_child(s, "d"));
        co_await s.terminate_child("a");
        co_await s.start_child(d);
      },
      {.max_children = 3});
}

TEST_P(ChildCalls, ARestartFindsItsPlaceUnderTheLimitFree) {
  run(
      [&](supervisor& s) -> task<> {
        on_.fail("b");
        co_await settled();
        EXPECT_EQ(on_.take(), (texts{"-b", "+b"}));
        EXPECT_EQ(info_of(s, "b").restarts, 1u);
      },
      {.max_children = 3});
}

// ---- terminate_child ----------------------------------------------------------------------------

TEST_P(ChildCalls, TerminateStopsItKeepsTheSpecAndRestartsNobody) {
  run(
      [&](supervisor& s) -> task<> {
        co_await s.terminate_child("b");
        EXPECT_EQ(on_.take(), (texts{"-b"}));
        EXPECT_TRUE(has_child(s, "b"));
        EXPECT_FALSE(task_of(s, "b"));
        EXPECT_EQ(s.count_children().active, 2u);
        co_await settled();
        co_await s.terminate_child("b");
        EXPECT_EQ(on_.take(), (texts{}));
      },
      {.strategy = restart_strategy::one_for_all});
}

TEST_P(ChildCalls, TerminateReturnsWhenItIsGone) {
  on_.stop_takes("b", 3s);
  run([&](supervisor& s) -> task<> {
    co_await s.terminate_child("b");
    EXPECT_EQ(test_clock().elapsed(), 3s);
    EXPECT_EQ(on_.take(), (texts{"-b"}));
  });
}

TEST_P(ChildCalls, TerminateDropsATemporaryChild) {
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d", restart_type::temporary);
    co_await s.start_child(d);
    co_await s.terminate_child("d");
    EXPECT_FALSE(has_child(s, "d"));
    co_await s.start_child(d);
  });
}

TEST_P(ChildCalls, TerminateGivesUpARestartThatIsDue) {
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d").backoff({.initial = 1h, .jitter = 0});
    co_await s.start_child(d);
    on_.fail("d");
    co_await settled();
    EXPECT_TRUE(info_of(s, "d").restarting);
    EXPECT_FALSE(info_of(s, "d").task);
    co_await s.terminate_child("d");
    EXPECT_FALSE(info_of(s, "d").restarting);
    on_.take();
    co_await sleep_for(2h);
    EXPECT_EQ(on_.take(), (texts{}));
  });
}

TEST_P(ChildCalls, AChildMayTerminateItself) {
  run([&](supervisor& s) -> task<> {
    bool went_on = false;
    const auto suicidal = [&]() -> task<> {
      co_await s.terminate_child("d");
      went_on = true;
    };
    const child_spec d("d", suicidal);
    co_await s.start_child(d);
    co_await settled();
    EXPECT_FALSE(task_of(s, "d"));
    EXPECT_FALSE(went_on);
    EXPECT_TRUE(has_child(s, "d"));
  });
}

// ---- restart_child and delete_child -------------------------------------------------------------

TEST_P(ChildCalls, RestartStartsOneThatDoesNotRun) {
  run([&](supervisor& s) -> task<> {
    co_await s.terminate_child("b");
    const child_info info = co_await s.restart_child("b");
    EXPECT_TRUE(info.task);
    EXPECT_EQ(info.restarts, 0u) << "nobody counts what was asked for";
    co_await s.shutdown();
    EXPECT_EQ(on_.take(), (texts{"-b", "+b", "-c", "-b", "-a"})) << "in its old place";
  });
}

TEST_P(ChildCalls, RestartOfATransientChildThatHasReturned) {
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d", restart_type::transient);
    co_await s.start_child(d);
    on_.finish("d");
    co_await settled();
    EXPECT_FALSE(task_of(s, "d"));
    co_await s.restart_child("d");
    EXPECT_TRUE(task_of(s, "d"));
  });
}

TEST_P(ChildCalls, ARestartThatFailsKeepsTheSpec) {
  run([&](supervisor& s) -> task<> {
    co_await s.terminate_child("b");
    on_.fail_starts("b", 1);
    EXPECT_THROW(co_await s.restart_child("b"), start_error);
    EXPECT_TRUE(has_child(s, "b"));
    EXPECT_FALSE(info_of(s, "b").restarting);
    co_await s.restart_child("b");
  });
  EXPECT_EQ(log_.size(), 0u);
}

TEST_P(ChildCalls, DeleteForgetsOneThatDoesNotRun) {
  run([&](supervisor& s) -> task<> {
    co_await s.terminate_child("b");
    co_await s.delete_child("b");
    EXPECT_FALSE(has_child(s, "b"));
    const child_spec b = on_.child("b");
    co_await s.start_child(b);
    co_await s.shutdown();
    EXPECT_EQ(on_.take(), (texts{"-b", "+b", "-b", "-c", "-a"})) << "now the last";
  });
}

TEST_P(ChildCalls, RestartAndDeleteAreRefusedWhileItRunsOrWaits) {
  run([&](supervisor& s) -> task<> {
    EXPECT_THAT(co_await thrown_by(s.restart_child("b")), HasSubstr("it runs"));
    EXPECT_THAT(co_await thrown_by(s.delete_child("b")), HasSubstr("it runs"));
    const child_spec d = on_.child("d").backoff({.initial = 1h});
    co_await s.start_child(d);
    on_.fail("d");
    co_await settled();
    EXPECT_THAT(co_await thrown_by(s.restart_child("d")), HasSubstr("waits for its restart"));
    EXPECT_THAT(co_await thrown_by(s.delete_child("d")), HasSubstr("waits for its restart"));
    EXPECT_THROW(co_await s.delete_child("d"), usage_error);
  });
}

TEST_P(ChildCalls, OfAnUnknownIdAreRefused) {
  run([&](supervisor& s) -> task<> {
    EXPECT_THAT(co_await thrown_by(s.terminate_child("x")), HasSubstr("terminate_child(\"x\")"));
    EXPECT_THAT(co_await thrown_by(s.restart_child("x")), HasSubstr("restart_child(\"x\")"));
    EXPECT_THAT(co_await thrown_by(s.delete_child("x")), HasSubstr("delete_child(\"x\")"));
    EXPECT_THROW(co_await s.terminate_child("x"), usage_error);
  });
}

// ---- From anywhere ------------------------------------------------------------------------------

TEST_P(ChildCalls, AreDoneInTheirOrder) {
  on_.start_takes("d", 1s);
  on_.start_takes("e", 1s);
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d");
    const child_spec e = on_.child("e");
    const auto first = [&]() -> task<> { co_await s.start_child(d); };
    const auto second = [&]() -> task<> { co_await s.start_child(e); };
    const task_handle<> one = s.spawn(first);
    co_await settled();
    const task_handle<> other = s.spawn(second);
    co_await settled();
    co_await s.terminate_child("d");
    EXPECT_EQ(test_clock().elapsed(), 2s);
    co_await settled();  // Those that wait for a call go on when they are told, and the next call is done meanwhile.
    EXPECT_TRUE(one.done() && other.done());
    EXPECT_EQ(on_.take(), (texts{"+d", "+e", "-d"}));
  });
}

TEST_P(ChildCalls, ACallerThatIsStoppedWaitsNoMoreAndWhatItAskedForGoesOn) {
  on_.start_takes("d", 1s);
  on_.start_takes("e", 1s);
  on_.fail_starts("f", 1);
  run([&](supervisor& s) -> task<> {
    const child_spec d = on_.child("d");
    const child_spec f = on_.child("f");
    EXPECT_FALSE(co_await move_on_after(500ms, s.start_child(d)));
    const bool second = (co_await move_on_after(100ms, s.start_child(f))).has_value();
    EXPECT_FALSE(second);
    EXPECT_EQ(test_clock().elapsed(), 600ms);
    co_await sleep_for(1s);
    EXPECT_TRUE(task_of(s, "d"));
  });
  EXPECT_THAT(log_.messages(), ElementsAre("f cannot start")) << "nobody else has heard of it";
  EXPECT_EQ(log_.take().front().entry.name(), "f");
}

TEST_P(ChildCalls, AfterTheEndAreRefused) {
  run([&](supervisor& s) -> task<> {
    s.cancel();
    const auto late = [&]() -> task<> {
      const child_spec d = on_.child("d");
      EXPECT_THROW(co_await s.start_child(d), scope_closed);
      EXPECT_THROW(co_await s.terminate_child("a"), scope_closed);
    };
    co_await shield(late);
  });
}

TEST_P(ChildCalls, OfAManualSupervisor) {
  rt_.block_on([&]() -> task<> {
    manual_supervisor s;
    const child_spec a = on_.child("a");
    EXPECT_THROW(co_await s.start_child(a), scope_closed);
    EXPECT_TRUE(s.which_children().empty());
    s.open();
    co_await s.start_child(a);
    on_.finish("a");
    co_await settled();
    co_await s.shutdown();
    EXPECT_EQ(on_.take(), (texts{"+a", "-a", "+a", "-a"}));
    EXPECT_TRUE(s.which_children().empty());
  });
}

}  // namespace
}  // namespace coppice
