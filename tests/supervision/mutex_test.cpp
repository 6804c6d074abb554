#include <coppice/group.h>
#include <coppice/mutex.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::texts;
using testing_support::trace;
using testing_support::tree_test;

class AsyncMutex : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, AsyncMutex, testing::Values(1, 2, 4));

task<> hold(async_mutex& mutex, duration time, trace& happened, std::string name) {
  const async_lock held = co_await mutex.lock();
  happened.add(name);
  co_await sleep_for(time);
}

TEST(AsyncLock, IsOfTheMutexThatItHolds) {
  async_mutex mutex;
  async_lock held = mutex.try_lock();
  EXPECT_TRUE(held);
  EXPECT_TRUE(held.owns_lock());
  EXPECT_EQ(held.mutex(), &mutex);
  EXPECT_FALSE(mutex.try_lock());
  EXPECT_EQ(mutex.try_lock().mutex(), nullptr);
  async_lock moved = std::move(held);
  EXPECT_TRUE(moved);
  EXPECT_FALSE(mutex.try_lock());
  moved.unlock();
  moved.unlock();
  EXPECT_FALSE(moved.owns_lock());
  EXPECT_EQ(moved.mutex(), &mutex);
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_TRUE(mutex.try_lock()) << "unlocked by the destructor";
}

TEST(AsyncLock, AssignedToItUnlocksWhatItHeld) {
  async_mutex one;
  async_mutex other;
  async_lock held = one.try_lock();
  held = other.try_lock();
  EXPECT_TRUE(one.try_lock());
  EXPECT_FALSE(other.try_lock());
  EXPECT_EQ(held.mutex(), &other);
}

// Also across awaits.
TEST_P(AsyncMutex, ExcludesAllOthersWhileItIsHeld) {
  async_mutex mutex;
  int unguarded = 0;
  test_runtime rt(workers());
  const auto count = [&]() -> task<> {
    for (int i = 0; i != 50; ++i) {
      const async_lock held = co_await mutex.lock();
      const int seen = unguarded;
      co_await yield();
      unguarded = seen + 1;
    }
  };
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 20; ++i) {
        all.spawn(count);
      }
      co_return;
    });
  });
  EXPECT_EQ(unguarded, 1'000);
}

TEST_P(AsyncMutex, IsFirstComeFirstServed) {
  async_mutex mutex;
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      for (const char* name : {"a", "b", "c", "d"}) {
        all.spawn(hold, std::ref(mutex), 1s, std::ref(happened), std::string(name));
        co_await wait_all_tasks_blocked();
      }
    });
  });
  EXPECT_EQ(happened.said(), (texts{"a", "b", "c", "d"}));
  EXPECT_EQ(rt.clock().elapsed(), 4s);
}

// It is handed over: nobody who comes between finds it free.
TEST_P(AsyncMutex, UnlockedItIsTheNextOnesAtOnce) {
  async_mutex mutex;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    async_lock mine = co_await mutex.lock();
    const task_handle<> next = spawn([&]() -> task<> {
      const async_lock held = co_await mutex.lock();
      co_await sleep_for(1s);
    });
    co_await wait_all_tasks_blocked();
    mine.unlock();
    EXPECT_FALSE(mutex.try_lock());
    co_await next;
    EXPECT_TRUE(mutex.try_lock());
  });
}

TEST_P(AsyncMutex, AStoppedWaiterIsPassedOver) {
  async_mutex mutex;
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    async_lock mine = co_await mutex.lock();
    const task_handle<> first =
        spawn(hold, std::ref(mutex), 1s, std::ref(happened), std::string("a"));
    co_await wait_all_tasks_blocked();
    const task_handle<> second =
        spawn(hold, std::ref(mutex), 1s, std::ref(happened), std::string("b"));
    co_await wait_all_tasks_blocked();
    first.cancel();
    co_await wait_all_tasks_blocked();
    mine.unlock();
    co_await second;
    EXPECT_EQ(first.status(), task_status::cancelled);
  });
  EXPECT_EQ(happened.said(), texts{"b"});
  EXPECT_TRUE(mutex.try_lock());
}

TEST_P(AsyncMutex, AStopBehindTheHandOverLosesNoLock) {
  async_mutex mutex;
  bool locked = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    async_lock mine = co_await mutex.lock();
    const task_handle<> next = spawn([&]() -> task<> {
      const async_lock held = co_await mutex.lock();
      locked = true;
      co_await sleep_for(forever);
    });
    co_await wait_all_tasks_blocked();
    mine.unlock();
    next.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(next.status(), task_status::cancelled);
  });
  EXPECT_TRUE(locked);
  EXPECT_TRUE(mutex.try_lock());
}

TEST_P(AsyncMutex, AHolderThatIsStoppedUnlocks) {
  async_mutex mutex;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> holder = spawn([&]() -> task<> {
      const async_lock held = co_await mutex.lock();
      co_await sleep_for(forever);
    });
    co_await wait_all_tasks_blocked();
    const bool in_time = (co_await move_on_after(1s, mutex.lock())).has_value();
    EXPECT_FALSE(in_time);
    holder.cancel();
    const async_lock mine = co_await mutex.lock();
    EXPECT_TRUE(mine);
  });
}

TEST_P(AsyncMutex, ATimeLimitThatIsNotReachedGivesTheLock) {
  async_mutex mutex;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const async_lock held = co_await with_timeout(1s, mutex.lock());
    EXPECT_TRUE(held);
    EXPECT_EQ(held.mutex(), &mutex);
  });
}

TEST(AsyncMutexTwice, LockedTwiceInOneTaskItIsSeenToBeADeadlock) {
  async_mutex mutex;
  test_runtime rt;
  EXPECT_THROW(rt.block_on([&]() -> task<> {
    const async_lock once = co_await mutex.lock();
    const async_lock twice = co_await mutex.lock();
  }),
               usage_error);
  EXPECT_TRUE(mutex.try_lock());
}

TEST(AsyncMutexDeathTest, DestroyedWhileItIsLockedItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        async_lock held;
        async_mutex mutex;
        held = mutex.try_lock();
      },
      "an async_mutex is destroyed while it is locked");
}

}  // namespace
}  // namespace coppice
