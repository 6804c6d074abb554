#include <coppice/condition.h>
#include <coppice/error.h>
#include <coppice/group.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::texts;
using testing_support::trace;
using testing_support::tree_test;

class AsyncCondition : public tree_test {
 protected:
  task<> wait_once(std::string name) {
    async_lock lock = co_await mutex_.lock();
    co_await changed_.wait(lock);
    EXPECT_TRUE(lock);
    happened_.add(name);
  }

  task<> spawn_waiters(task_group& all, const texts& names) {
    for (const std::string& name : names) {
      all.spawn([this, name]() -> task<> { co_await wait_once(name); });
      co_await wait_all_tasks_blocked();
    }
  }

  async_mutex mutex_;
  async_condition changed_;
  trace happened_;
};

INSTANTIATE_TEST_SUITE_P(Workers, AsyncCondition, testing::Values(1, 2, 4));

TEST_P(AsyncCondition, NotifiesOneInOrderOfArrival) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      const texts names{"a", "b", "c"};
      co_await spawn_waiters(all, names);
      EXPECT_TRUE(mutex_.try_lock()) << "they have given it away";
      for (std::size_t i = 0; i != 3; ++i) {
        changed_.notify_one();
        co_await wait_all_tasks_blocked();
        EXPECT_EQ(happened_.said().size(), i + 1);
      }
      changed_.notify_one();
    });
  });
  EXPECT_EQ(happened_.said(), (texts{"a", "b", "c"}));
}

TEST_P(AsyncCondition, NotifiesAll) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      const texts names(100, "x");
      co_await spawn_waiters(all, names);
      changed_.notify_all();
    });
  });
  EXPECT_EQ(happened_.said().size(), 100u);
}

TEST_P(AsyncCondition, WhoIsNotifiedWaitsForTheLock) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      const texts names{"a"};
      co_await spawn_waiters(all, names);
      async_lock mine = co_await mutex_.lock();
      changed_.notify_one();
      co_await wait_all_tasks_blocked();
      happened_.add("unlocking");
      mine.unlock();
    });
  });
  EXPECT_EQ(happened_.said(), (texts{"unlocking", "a"}));
}

TEST_P(AsyncCondition, ANotificationThatFindsNobodyIsOfNoEffect) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    changed_.notify_one();
    changed_.notify_all();
    async_lock lock = co_await mutex_.lock();
    const bool notified = co_await move_on_after(1s, changed_.wait(lock));
    EXPECT_FALSE(notified);
    EXPECT_TRUE(lock) << "it has it again before the time limit's boundary";
  });
}

TEST_P(AsyncCondition, AStopGoesOnWithTheLockHeld) {
  bool held = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn([&]() -> task<> {
      async_lock lock = co_await mutex_.lock();
      const outcome<> end = co_await as_result(changed_.wait(lock));
      EXPECT_TRUE(end.cancelled());
      held = lock.owns_lock() && !mutex_.try_lock();
    });
    co_await wait_all_tasks_blocked();
    async_lock mine = co_await mutex_.lock();
    waiting.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(waiting.done()) << "waits for the lock, whatever is asked of it";
    waiting.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(waiting.done());
    mine.unlock();
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(waiting.done());
  });
  EXPECT_TRUE(held);
  EXPECT_TRUE(mutex_.try_lock());
}

TEST_P(AsyncCondition, ANotificationIsNotLostToOneThatWasStopped) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      const task_handle<> first = all.spawn([&]() -> task<> { co_await wait_once("a"); });
      co_await wait_all_tasks_blocked();
      all.spawn([&]() -> task<> { co_await wait_once("b"); });
      co_await wait_all_tasks_blocked();
      first.cancel();
      co_await wait_all_tasks_blocked();
      EXPECT_TRUE(first.done());
      changed_.notify_one();
    });
  });
  EXPECT_EQ(happened_.said(), texts{"b"});
}

TEST_P(AsyncCondition, OnceNotifiedItReturnsThoughAStopComesMeanwhile) {
  bool returned = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn([&]() -> task<> {
      async_lock lock = co_await mutex_.lock();
      co_await changed_.wait(lock);
      returned = lock.owns_lock();
      co_await sleep_for(forever);
    });
    co_await wait_all_tasks_blocked();
    async_lock mine = co_await mutex_.lock();
    changed_.notify_one();
    co_await wait_all_tasks_blocked();
    waiting.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(waiting.done());
    mine.unlock();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(waiting.status(), task_status::cancelled);
  });
  EXPECT_TRUE(returned);
  EXPECT_TRUE(mutex_.try_lock());
}

TEST_P(AsyncCondition, AStopOnEntryGivesNothingAway) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    async_lock lock = co_await mutex_.lock();
    const auto body = [&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await changed_.wait(lock);
    };
    const auto end = co_await with_scope(body);
    EXPECT_TRUE(end.cancelled_caught);
    EXPECT_TRUE(lock);
  });
}

TEST_P(AsyncCondition, WithAPredicateItWaitsUntilThatSaysYes) {
  std::deque<int> items;
  std::vector<int> taken;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& all) -> task<> {
      all.spawn([&]() -> task<> {
        const auto any = [&] { return !items.empty(); };
        while (taken.size() != 10) {
          async_lock lock = co_await mutex_.lock();
          co_await changed_.wait(lock, any);
          EXPECT_TRUE(lock);
          taken.push_back(items.front());
          items.pop_front();
        }
      });
      for (int i = 0; i != 10; ++i) {
        changed_.notify_all();
        co_await wait_all_tasks_blocked();
        const async_lock lock = co_await mutex_.lock();
        items.push_back(i);
        changed_.notify_one();
      }
    });
  });
  EXPECT_EQ(taken, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_P(AsyncCondition, APredicateIsAskedAtOnceButNotPastAStop) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    async_lock lock = co_await mutex_.lock();
    const auto yes = [] { return true; };
    co_await changed_.wait(lock, yes);
    co_await changed_.wait(lock, [] { return true; });
    bool went_on = false;
    const auto body = [&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await changed_.wait(lock, yes);
      went_on = true;
    };
    co_await with_scope(body);
    EXPECT_FALSE(went_on);
  });
}

TEST_P(AsyncCondition, WhatThePredicateThrowsIsTheFailureOfTheWait) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    async_lock lock = co_await mutex_.lock();
    const auto broken = []() -> bool { throw std::runtime_error("broken"); };
    const outcome<> end = co_await as_result(changed_.wait(lock, broken));
    EXPECT_TRUE(end.failed());
    EXPECT_TRUE(lock);
  });
}

TEST_P(AsyncCondition, RefusesALockThatIsNotHeld) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    async_lock none;
    const outcome<> refused = co_await as_result(changed_.wait(none));
    EXPECT_TRUE(refused.failed());
    async_lock lock = co_await mutex_.lock();
    lock.unlock();
    const outcome<> again = co_await as_result(changed_.wait(lock));
    EXPECT_TRUE(again.failed());
    EXPECT_TRUE(again.entry().get_if<usage_error>() != nullptr);
    EXPECT_TRUE(mutex_.try_lock());
  });
}

TEST(AsyncConditionDeathTest, DestroyedWhileSomebodyWaitsItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        async_mutex mutex;
        test_runtime rt;
        std::optional<async_condition> changed(std::in_place);
        rt.block_on([&]() -> task<> {
          static_cast<void>(spawn([&]() -> task<> {
            async_lock lock = co_await mutex.lock();
            co_await changed->wait(lock);
          }));
          co_await wait_all_tasks_blocked();
          changed.reset();
        });
      },
      "an async_condition is destroyed while a task waits there");
}

}  // namespace
}  // namespace coppice
