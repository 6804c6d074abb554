// shield: what a cancel from above must not interrupt, with and without a grace; set_shield.
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/load.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::failing;
using testing_support::mark;
using testing_support::number_after;
using testing_support::sleeper;
using testing_support::texts;
using testing_support::trace;

class Shield : public testing_support::tree_test {
 protected:
  // Runs main as a task that is cancelled from above after a second; gives what it said.
  template <class Main>
  texts said_when_cancelled(Main main) {
    trace events;
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      const auto body = [&]() -> task<> { co_await main(events); };
      const task_handle<> child = spawn(body);
      co_await sleep_for(1s);
      child.cancel("from above");
      const outcome<> end = co_await as_result(child);
      events.add(child.status() == task_status::cancelled ? "cancelled" : "not cancelled");
      EXPECT_EQ(end.failed(), child.status() == task_status::cancelled);
    });
    elapsed_ = rt.clock().elapsed();
    return events.said();
  }

  duration elapsed_{};
};
INSTANTIATE_TEST_SUITE_P(Workers, Shield, testing::Values(1u, 2u, 4u));

TEST_P(Shield, GivesTheValueOfItsBody) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int of_task = co_await shield(number_after(1s, 3));
    EXPECT_EQ(of_task, 3);
    const int of_callable = co_await shield([]() -> task<int> { co_return 4; });
    EXPECT_EQ(of_callable, 4);
    const int with_grace = co_await shield(5s, number_after(1s, 5));
    EXPECT_EQ(with_grace, 5);
    const int with_scope_given = co_await shield([](cancel_scope& scope) -> task<int> {
      EXPECT_TRUE(scope.shielded());
      co_return 6;
    });
    EXPECT_EQ(with_scope_given, 6);
  });
}

TEST_P(Shield, LetsAFailurePassNaked) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    EXPECT_THROW(co_await shield(failing("mine")), std::runtime_error);
    EXPECT_THROW(co_await shield(1s, failing("mine")), std::runtime_error);
  });
}

TEST_P(Shield, A2KeepsARequestFromAboveOutAndTheNextPointStops) {
  const texts said = said_when_cancelled([](trace& events) -> task<> {
    co_await shield([&]() -> task<> {
      co_await sleep_for(3s);
      EXPECT_FALSE(cancel_requested());
      events.add("whole");
    });
    EXPECT_TRUE(cancel_requested());
    events.add("behind the shield");
    co_await checkpoint();
    events.add("behind the point");
  });
  EXPECT_EQ(said, (texts{"whole", "behind the shield", "cancelled"}));
  EXPECT_EQ(elapsed_, 3s);
}

TEST_P(Shield, OpensAlsoWhenTheRequestIsThereAlready) {
  bool cleaned = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await shield([&]() -> task<> {
        co_await sleep_for(1s);
        cleaned = true;
      });
      co_await checkpoint();
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
  EXPECT_TRUE(cleaned);
  EXPECT_EQ(rt.clock().elapsed(), 1s);
}

TEST_P(Shield, ProtectsAGroupInItAndSpawnsIntoIt) {
  const texts said = said_when_cancelled([](trace& events) -> task<> {
    const auto child = [&](std::string name) -> task<> {
      co_await sleep_for(2s);
      events.add(name);
    };
    co_await shield([&]() -> task<> {
      co_await with_group([&](task_group& group) -> task<> {
        group.spawn(child, "early");
        co_await sleep_for(1500ms);
        EXPECT_FALSE(group.cancelled());
        group.spawn(child, "late");
      });
    });
    co_await checkpoint();
  });
  EXPECT_EQ(said, (texts{"early", "late", "cancelled"}));
}

TEST_P(Shield, A5AbsorbsItsOwnScopesCancel) {
  const texts said = said_when_cancelled([](trace& events) -> task<> {
    co_await shield([&](cancel_scope& scope) -> task<> {
      scope.cancel("own");
      co_await sleep_for(forever);
    });
    events.add("behind the shield");
    const auto without_value = [](cancel_scope& scope) -> task<int> {
      scope.cancel("own");
      co_return co_await number_after(1h, 1);
    };
    EXPECT_THROW((void)co_await shield(without_value), task_cancelled);
  });
  EXPECT_EQ(said, (texts{"behind the shield", "not cancelled"}));
}

TEST_P(Shield, DoesNotKeepOutARequestFromInside) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await shield([]() -> task<> {
      const bool finished = co_await move_on_after(1s, sleeper(1h));
      EXPECT_FALSE(finished);
    });
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

// ---- With a grace -------------------------------------------------------------------------------

TEST_P(Shield, WithAGraceLetsTheRequestThroughWhenItIsOver) {
  const texts said = said_when_cancelled([](trace& events) -> task<> {
    co_await shield(3s, [&]() -> task<> {
      const mark frame(events, "stopped");
      co_await sleep_for(1h);
      events.add("whole");
    });
    events.add("behind the shield");
  });
  EXPECT_EQ(said, (texts{"stopped", "cancelled"}));
  EXPECT_EQ(elapsed_, 4s) << "counted from the request, not from the opening";
}

TEST_P(Shield, WithAGraceGivesTheValueOfABodyThatEndsInIt) {
  const texts said = said_when_cancelled([](trace& events) -> task<> {
    const int value = co_await shield(3s, number_after(2s, 7));
    events.add("value " + std::to_string(value));
    co_await checkpoint();
    events.add("behind the point");
  });
  EXPECT_EQ(said, (texts{"value 7", "cancelled"}));
  EXPECT_EQ(elapsed_, 2s);
}

TEST_P(Shield, WithAGraceAndNoRequestIsNoLimit) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const int value = co_await shield(1s, number_after(1h, 8));
    EXPECT_EQ(value, 8);
  });
}

TEST_P(Shield, WithAGraceCountsFromItsOpeningIfTheRequestWasThere) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result = co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await shield(2s, sleeper(1h));
    });
    EXPECT_TRUE(result.cancelled_caught);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(Shield, WithoutGraceStopsAtTheFirstPointOfARequestedTask) {
  bool behind = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await shield(0s, [&]() -> task<> {
        co_await sleep_for(1s);
        behind = true;
      });
    });
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
  EXPECT_FALSE(behind);
}

// ---- set_shield ---------------------------------------------------------------------------------

TEST_P(Shield, SetOnAScopeKeepsRequestsFromAboveOutUntilItIsLifted) {
  const texts said = said_when_cancelled([](trace& events) -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      EXPECT_FALSE(scope.shielded());
      scope.set_shield(true);
      EXPECT_TRUE(scope.shielded());
      co_await sleep_for(3s);
      events.add("shielded");
      EXPECT_FALSE(scope.cancelled());
      scope.set_shield(false);
      EXPECT_TRUE(scope.cancelled());
      events.add("lifted");
      co_await yield();
      events.add("behind the point");
    });
  });
  EXPECT_EQ(said, (texts{"shielded", "lifted", "cancelled"}));
}

TEST_P(Shield, ByOptionIsSetFromTheBeginning) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& above) -> task<> {
      above.cancel();
      const scope_result<int> inner =
          co_await with_scope({.shield = true}, [](cancel_scope& scope) -> task<int> {
            EXPECT_TRUE(scope.shielded());
            co_return co_await number_after(1s, 3);
          });
      EXPECT_EQ(inner.value, 3);
    });
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(Shield, DoesNotKeepOutTheScopesOwnRequestNorItsDeadline) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> own =
        co_await with_scope({.shield = true}, [](cancel_scope& scope) -> task<> {
          scope.cancel("own");
          co_await yield();
        });
    EXPECT_TRUE(own.cancelled_caught);
    const scope_result<void> late =
        co_await with_scope({.timeout = 1s, .shield = true},
                            [](cancel_scope&) -> task<> { co_await sleep_for(forever); });
    EXPECT_TRUE(late.expired);
  });
}

TEST_P(Shield, LiftedWhileChildrenSleepItStopsThem) {
  trace events;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto child = [&]() -> task<> {
      const mark frame(events, "child");
      co_await sleep_for(forever);
    };
    co_await with_scope([&](cancel_scope& above) -> task<> {
      co_await with_scope({.shield = true}, [&](cancel_scope& scope) -> task<> {
        co_await with_group([&](task_group& group) -> task<> {
          group.spawn(child);
          group.spawn(child);
          above.cancel();
          co_await sleep_for(1s);
          EXPECT_EQ(events.said(), texts{});
          scope.set_shield(false);
          co_await sleep_for(forever);
        });
      });
    });
  });
  EXPECT_EQ(events.said(), (texts{"child", "child"}));
  EXPECT_EQ(rt.clock().elapsed(), 1s);
}

TEST_P(Shield, LiftedWithoutARequestChangesNothing) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const scope_result<void> result =
        co_await with_scope({.shield = true}, [](cancel_scope& scope) -> task<> {
          scope.set_shield(false);
          co_await sleep_for(1s);
          scope.set_shield(true);
          co_await sleep_for(1s);
        });
    EXPECT_TRUE(result);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(Shield, ToggledWhileACancelTravelsLosesNoStop) {
  const long all = testing_support::rounds(20'000);
  for (long round = 0; round != all; ++round) {
    scope_handle outer;
    std::atomic<bool> begun{false};
    bool stopped = false;
    runtime rt({.threads = GetParam()});
    const task_handle<> main = rt.spawn([&]() -> task<> {
      const scope_result<void> result = co_await with_scope([&](cancel_scope& above) -> task<> {
        outer = above.handle();
        co_await with_scope([&](cancel_scope& scope) -> task<> {
          begun = true;
          for (bool shielded = true;; shielded = !shielded) {
            scope.set_shield(shielded);
            co_await yield();
          }
        });
      });
      stopped = result.cancelled_caught;
    });
    while (!begun) {
      std::this_thread::yield();
    }
    outer.cancel();
    rt.shutdown({.drain = forever});
    ASSERT_TRUE(stopped) << "round " << round;
    ASSERT_EQ(main.status(), task_status::completed);
  }
}

}  // namespace
}  // namespace coppice
