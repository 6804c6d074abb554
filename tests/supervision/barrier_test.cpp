#include <coppice/barrier.h>
#include <coppice/error.h>
#include <coppice/group.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class AsyncBarrier : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, AsyncBarrier, testing::Values(1, 2, 4));

TEST_P(AsyncBarrier, NobodyGoesOnBeforeAllHaveArrivedPhaseAfterPhase) {
  constexpr int parties = 7;
  constexpr int phases = 40;
  async_barrier barrier(parties);
  std::array<std::atomic<int>, phases> arrived{};
  test_runtime rt(workers());
  const auto party = [&]() -> task<> {
    for (std::atomic<int>& here : arrived) {
      here.fetch_add(1);
      co_await barrier.arrive_and_wait();
      EXPECT_EQ(here.load(), parties);
    }
  };
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != parties; ++i) {
        all.spawn(party);
      }
      co_return;
    });
  });
  for (const std::atomic<int>& here : arrived) {
    EXPECT_EQ(here.load(), parties);
  }
}

TEST_P(AsyncBarrier, OfOnePartyLetsItPass) {
  async_barrier barrier(1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await barrier.arrive_and_wait();
    co_await barrier.arrive_and_wait();
  });
}

TEST_P(AsyncBarrier, WhoIsStoppedTakesItsArrivalBack) {
  async_barrier barrier(2);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    bool met = co_await move_on_after(1s, barrier.arrive_and_wait());
    EXPECT_FALSE(met);
    const task_handle<> alone = spawn([&]() -> task<> { co_await barrier.arrive_and_wait(); });
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(alone.done()) << "the first has gone";
    met = co_await move_on_after(1s, barrier.arrive_and_wait());
    EXPECT_TRUE(met);
    co_await alone;
  });
}

TEST_P(AsyncBarrier, AStopBehindTheEndOfThePhaseTakesNothingBack) {
  async_barrier barrier(2);
  bool passed = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> other = spawn([&]() -> task<> {
      co_await barrier.arrive_and_wait();
      passed = true;
      co_await sleep_for(forever);
    });
    co_await wait_all_tasks_blocked();
    co_await barrier.arrive_and_wait();
    other.cancel();
    co_await wait_all_tasks_blocked();
    const bool met = co_await move_on_after(1s, barrier.arrive_and_wait());
    EXPECT_FALSE(met) << "nobody else is in the second phase";
  });
  EXPECT_TRUE(passed);
}

TEST_P(AsyncBarrier, WhoDropsOutIsMissedNoMore) {
  async_barrier barrier(3);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto twice = [&]() -> task<> {
      co_await barrier.arrive_and_wait();
      co_await barrier.arrive_and_wait();
    };
    co_await with_group([&](task_group& all) -> task<> {
      const task_handle<> one = all.spawn(twice);
      all.spawn(twice);
      co_await wait_all_tasks_blocked();
      EXPECT_FALSE(one.done());
      barrier.arrive_and_drop();
    });
  });
}

TEST_P(AsyncBarrier, WithoutPartiesNobodyCanArrive) {
  async_barrier barrier(1);
  barrier.arrive_and_drop();
  EXPECT_THROW(barrier.arrive_and_drop(), usage_error);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const outcome<> refused = co_await as_result(barrier.arrive_and_wait());
    EXPECT_TRUE(refused.failed());
    EXPECT_TRUE(refused.entry().get_if<usage_error>() != nullptr);
  });
  EXPECT_THROW(async_barrier(-1), usage_error);
}

TEST_P(AsyncBarrier, ArrivesNotIfItIsStoppedOnEntry) {
  async_barrier barrier(1);
  bool went_on = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto body = [&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await barrier.arrive_and_wait();
      went_on = true;
    };
    co_await with_scope(body);
  });
  EXPECT_FALSE(went_on);
}

TEST_P(AsyncBarrier, MayBeDestroyedByWhoHasPassed) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    for (int i = 0; i != 300; ++i) {
      auto barrier = std::make_unique<async_barrier>(2);
      async_barrier& meeting = *barrier;
      const task_handle<> other = spawn([&]() -> task<> { co_await meeting.arrive_and_wait(); });
      co_await barrier->arrive_and_wait();
      barrier.reset();
      co_await other;
    }
  });
}

TEST(AsyncBarrierDeathTest, DestroyedWhileSomebodyWaitsItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        std::optional<async_barrier> barrier(2);
        rt.block_on([&]() -> task<> {
          static_cast<void>(spawn([&]() -> task<> { co_await barrier->arrive_and_wait(); }));
          co_await wait_all_tasks_blocked();
          barrier.reset();
        });
      },
      "an async_barrier is destroyed while a task waits there");
}

}  // namespace
}  // namespace coppice
