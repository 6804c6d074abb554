#include <coppice/error.h>
#include <coppice/latch.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class AsyncLatch : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, AsyncLatch, testing::Values(1, 2, 4));

TEST(AsyncLatchByItself, IsOpenAtZero) {
  async_latch latch(3);
  EXPECT_FALSE(latch.try_wait());
  latch.count_down();
  latch.count_down(0);
  EXPECT_FALSE(latch.try_wait());
  latch.count_down(2);
  EXPECT_TRUE(latch.try_wait());
  EXPECT_TRUE(async_latch(0).try_wait());
}

TEST(AsyncLatchByItself, RefusesToGoBelowZeroOrUp) {
  async_latch latch(2);
  EXPECT_THROW(latch.count_down(3), usage_error);
  EXPECT_THROW(latch.count_down(-1), usage_error);
  EXPECT_FALSE(latch.try_wait());
  latch.count_down(2);
  EXPECT_TRUE(latch.try_wait());
  EXPECT_THROW(latch.count_down(), usage_error);
  EXPECT_THROW(async_latch(-1), usage_error);
}

TEST_P(AsyncLatch, LetsGoAllWhoWaitWhenTheLastHasCountedDown) {
  constexpr int many = 100;
  async_latch latch(many);
  std::atomic<int> counted{0};
  std::atomic<int> passed{0};
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    for (int i = 0; i != many; ++i) {
      static_cast<void>(spawn([&]() -> task<> {
        co_await latch.wait();
        EXPECT_EQ(counted.load(), many);
        passed.fetch_add(1);
      }));
    }
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(passed.load(), 0);
    for (int i = 0; i != many; ++i) {
      static_cast<void>(spawn([&] {
        counted.fetch_add(1);
        latch.count_down();
      }));
    }
    co_await latch.wait();
    co_await wait_all_tasks_blocked();
  });
  EXPECT_EQ(passed.load(), many);
}

TEST_P(AsyncLatch, WhoArrivesAndWaitsIsCountedAndWaitsForTheOthers) {
  constexpr int many = 50;
  async_latch latch(many);
  std::atomic<int> passed{0};
  test_runtime rt(workers());
  const auto arriving = [&]() -> task<> {
    co_await latch.arrive_and_wait();
    passed.fetch_add(1);
  };
  rt.block_on([&]() -> task<> {
    for (int i = 0; i != many - 1; ++i) {
      static_cast<void>(spawn(arriving));
    }
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(passed.load(), 0);
    co_await latch.arrive_and_wait();
    co_await wait_all_tasks_blocked();
  });
  EXPECT_EQ(passed.load(), many - 1);
}

TEST_P(AsyncLatch, AStopWhileItWaitsDoesNotTakeTheCountBack) {
  async_latch latch(2);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const bool in_time = co_await move_on_after(1s, latch.arrive_and_wait());
    EXPECT_FALSE(in_time);
    latch.count_down();
    EXPECT_TRUE(latch.try_wait());
  });
}

TEST_P(AsyncLatch, AStopOnEntryCountsNothingDown) {
  async_latch latch(1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto body = [&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await latch.arrive_and_wait();
    };
    co_await with_scope(body);
    EXPECT_FALSE(latch.try_wait());
  });
}

TEST_P(AsyncLatch, ArrivingBelowZeroIsAnErrorOfTheAwait) {
  async_latch latch(1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const outcome<> refused = co_await as_result(latch.arrive_and_wait(2));
    EXPECT_TRUE(refused.failed());
    EXPECT_TRUE(refused.entry().get_if<usage_error>() != nullptr);
    co_await latch.arrive_and_wait();
  });
}

TEST_P(AsyncLatch, MayBeDestroyedByWhoHasWaitedForIt) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    for (int i = 0; i != 300; ++i) {
      auto latch = std::make_unique<async_latch>(2);
      async_latch& counting = *latch;
      const task_handle<> one = spawn([&] { counting.count_down(); });
      const task_handle<> other = spawn([&] { counting.count_down(); });
      co_await latch->wait();
      latch.reset();
      co_await one;
      co_await other;
    }
  });
}

TEST(AsyncLatchDeathTest, DestroyedWhileSomebodyWaitsItTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        std::optional<async_latch> latch(1);
        rt.block_on([&]() -> task<> {
          static_cast<void>(spawn([&]() -> task<> { co_await latch->wait(); }));
          co_await wait_all_tasks_blocked();
          latch.reset();
        });
      },
      "an async_latch is destroyed while a task waits there");
}

}  // namespace
}  // namespace coppice
