#include <coppice/error.h>
#include <coppice/group.h>
#include <coppice/semaphore.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::texts;
using testing_support::trace;
using testing_support::tree_test;

class AsyncSemaphore : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, AsyncSemaphore, testing::Values(1, 2, 4));

task<> hold(async_semaphore& permits, std::size_t n, duration time, trace& happened,
            std::string name) {
  const semaphore_permit held = co_await permits.acquire(n);
  happened.add(name);
  co_await sleep_for(time);
}

TEST(SemaphorePermit, GivesBackWhatItHolds) {
  async_semaphore permits(5);
  {
    semaphore_permit two = permits.try_acquire(2);
    EXPECT_EQ(two.count(), 2u);
    EXPECT_TRUE(two);
    EXPECT_EQ(permits.available(), 3u);
    semaphore_permit moved = std::move(two);
    EXPECT_EQ(moved.count(), 2u);
    EXPECT_FALSE(permits.try_acquire(4));
    semaphore_permit one = permits.try_acquire();
    EXPECT_EQ(permits.available(), 2u);
    one = std::move(moved);
    EXPECT_EQ(permits.available(), 3u);
    one.release();
    one.release();
    EXPECT_EQ(permits.available(), 5u);
    EXPECT_FALSE(one);
  }
  EXPECT_EQ(permits.available(), 5u);
  EXPECT_FALSE(semaphore_permit());
}

TEST(SemaphorePermit, ForgottenTheyAreGoneUntilNewOnesAreAdded) {
  async_semaphore permits(3);
  permits.try_acquire(2).forget();
  EXPECT_EQ(permits.available(), 1u);
  permits.release(4);
  EXPECT_EQ(permits.available(), 5u);
}

TEST(AsyncSemaphoreByItself, RefusesMoreThanCanBeCounted) {
  EXPECT_THROW(async_semaphore(static_cast<std::size_t>(-1)), usage_error);
  async_semaphore most(static_cast<std::size_t>(-1) / 2);
  EXPECT_EQ(most.available(), static_cast<std::size_t>(-1) / 2);
}

TEST_P(AsyncSemaphore, LetsInAsManyAsThereArePermits) {
  async_semaphore permits(3);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  test_runtime rt(workers());
  const auto enter = [&]() -> task<> {
    const semaphore_permit held = co_await permits.acquire();
    const int now = inside.fetch_add(1) + 1;
    for (int seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    co_await sleep_for(1s);
    inside.fetch_sub(1);
  };
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 30; ++i) {
        all.spawn(enter);
      }
      co_return;
    });
  });
  EXPECT_EQ(most.load(), 3);
  EXPECT_EQ(permits.available(), 3u);
  EXPECT_EQ(rt.clock().elapsed(), 10s);
}

TEST_P(AsyncSemaphore, IsFirstComeFirstServed) {
  async_semaphore permits(1);
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      for (const char* name : {"a", "b", "c", "d"}) {
        all.spawn(hold, std::ref(permits), 1u, 1s, std::ref(happened), std::string(name));
        co_await wait_all_tasks_blocked();
      }
      EXPECT_FALSE(permits.try_acquire());
    });
  });
  EXPECT_EQ(happened.said(), (texts{"a", "b", "c", "d"}));
}

TEST_P(AsyncSemaphore, WhoAsksForManyIsNotOvertaken) {
  async_semaphore permits(2);
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      for (const auto& [name, n] : {std::pair{"a", 1u}, {"b", 2u}, {"c", 1u}}) {
        all.spawn(hold, std::ref(permits), n, 1s, std::ref(happened), std::string(name));
        co_await wait_all_tasks_blocked();
      }
      EXPECT_EQ(permits.available(), 1u);
      EXPECT_FALSE(permits.try_acquire()) << "one is there, but b has come before";
    });
  });
  EXPECT_EQ(happened.said(), (texts{"a", "b", "c"}));
}

TEST_P(AsyncSemaphore, WhenOneWhoAsksForManyLeavesTheNextIsServed) {
  async_semaphore permits(1);
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> greedy =
        spawn(hold, std::ref(permits), 2u, 1s, std::ref(happened), std::string("a"));
    co_await wait_all_tasks_blocked();
    const task_handle<> modest =
        spawn(hold, std::ref(permits), 1u, 1s, std::ref(happened), std::string("b"));
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(happened.said(), texts{});
    greedy.cancel();
    co_await modest;
  });
  EXPECT_EQ(happened.said(), texts{"b"});
  EXPECT_EQ(permits.available(), 1u);
}

TEST_P(AsyncSemaphore, MoreThanEverThereWereAreWaitedFor) {
  async_semaphore permits(0);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn([&]() -> task<> {
      const semaphore_permit held = co_await permits.acquire(10);
      EXPECT_EQ(held.count(), 10u);
    });
    for (int i = 0; i != 9; ++i) {
      permits.release();
    }
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(waiting.done());
    permits.release();
    co_await waiting;
  });
  EXPECT_EQ(permits.available(), 10u);
}

TEST_P(AsyncSemaphore, ManyAreServedByOneRelease) {
  constexpr std::size_t many = 500;
  async_semaphore permits(0);
  std::atomic<std::size_t> granted{0};
  test_runtime rt(workers());
  const auto take = [&]() -> task<> {
    (co_await permits.acquire()).forget();
    granted.fetch_add(1);
  };
  rt.block_on([&]() -> task<> {
    for (std::size_t i = 0; i != many; ++i) {
      static_cast<void>(spawn(take));
    }
    co_await wait_all_tasks_blocked();
    permits.release(many + 1);
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(granted.load(), many);
  });
  EXPECT_EQ(permits.available(), 1u);
}

TEST_P(AsyncSemaphore, NoneAreThereAtOnce) {
  async_semaphore permits(0);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const semaphore_permit none = co_await permits.acquire(0);
    EXPECT_FALSE(none);
  });
}

// Granted, then cancelled before it has gone on: it has the permit, and gives it back when it stops.
TEST_P(AsyncSemaphore, AStopBehindTheGrantLosesNoPermit) {
  async_semaphore permits(0);
  bool granted = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn([&]() -> task<> {
      const semaphore_permit held = co_await permits.acquire();
      granted = static_cast<bool>(held);
      co_await sleep_for(forever);
    });
    co_await wait_all_tasks_blocked();
    permits.release();
    waiting.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(waiting.status(), task_status::cancelled);
  });
  EXPECT_TRUE(granted);
  EXPECT_EQ(permits.available(), 1u);
}

TEST_P(AsyncSemaphore, AStopBeforeTheGrantLeavesThePermitToTheNext) {
  async_semaphore permits(0);
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> first =
        spawn(hold, std::ref(permits), 1u, 1s, std::ref(happened), std::string("a"));
    co_await wait_all_tasks_blocked();
    const task_handle<> second =
        spawn(hold, std::ref(permits), 1u, 1s, std::ref(happened), std::string("b"));
    co_await wait_all_tasks_blocked();
    first.cancel();
    permits.release();
    co_await wait_all_tasks_blocked();
    // Several workers may have granted it before they saw the request.
    EXPECT_EQ(first.status(), task_status::cancelled);
    co_await second;
  });
  EXPECT_EQ(happened.said().back(), "b");
  EXPECT_EQ(permits.available(), 1u);
}

TEST_P(AsyncSemaphore, TakesNothingIfItIsStoppedOnEntry) {
  async_semaphore permits(1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto body = [&](cancel_scope& scope) -> task<> {
      scope.cancel();
      const semaphore_permit held = co_await permits.acquire();
    };
    co_await with_scope(body);
  });
  EXPECT_EQ(permits.available(), 1u);
}

TEST(AsyncSemaphoreDeathTest, DestroyedWhileSomebodyWaitsItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        std::optional<async_semaphore> permits(0);
        rt.block_on([&]() -> task<> {
          static_cast<void>(
              spawn([&]() -> task<> { const auto held = co_await permits->acquire(); }));
          co_await wait_all_tasks_blocked();
          permits.reset();
        });
      },
      "an async_semaphore is destroyed while a task waits there");
}

TEST(AsyncSemaphoreDeathTest, GivenMoreThanCanBeCountedItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        async_semaphore permits(1);
        permits.release(static_cast<std::size_t>(-1));
      },
      "more permits than can be counted");
}

}  // namespace
}  // namespace coppice
