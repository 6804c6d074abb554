#include "executor/blocking_pool.h"

#include "executor/executor_state.h"

#include <coppice/blocking.h>
#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/held_call.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::held_call;

class BlockingPool : public testing_support::accounted_test {
 protected:
  static constexpr test_setup impatient{.virtual_time = false, .idle_blocking_threads = 0ns};
  static constexpr test_setup patient{.virtual_time = false, .idle_blocking_threads = 1h};
};

const blocking_pool& pool_of(const executor& of) {
  return of.state().core->blocking;
}

task<> calling(std::function<void()> fn) {
  co_await spawn_blocking(fn);
}

std::size_t threads_of_process() {
  using directory = std::filesystem::directory_iterator;
  return static_cast<std::size_t>(std::distance(directory("/proc/self/task"), directory()));
}

TEST_F(BlockingPool, StartsNoThreadBeforeACall) {
  accounted_executor tasks({.threads = 1});
  tasks.block_on([]() -> task<> { co_await yield(); });
  EXPECT_EQ(pool_of(tasks).threads(), 0u);
  EXPECT_TRUE(pool_of(tasks).empty());
}

TEST_F(BlockingPool, StartsAThreadForEachCallThatFindsNoneUpToTheLimit) {
  std::vector<std::unique_ptr<held_call>> calls;
  accounted_executor tasks({.threads = 1, .blocking_threads = 3}, &patient);
  for (std::size_t i = 1; i != 6; ++i) {
    calls.push_back(std::make_unique<held_call>());
    tasks.spawn(calling, std::ref(*calls.back()));
    if (i <= 3) {
      calls.back()->wait_until_begun();
      EXPECT_EQ(pool_of(tasks).threads(), i);
    }
  }
  tasks.block_on([] {});  // Behind the spawned tasks in the queue.
  EXPECT_EQ(pool_of(tasks).threads(), 3u);
  EXPECT_FALSE(calls[3]->has_begun());
  calls[1]->release();
  calls[3]->wait_until_begun();
  EXPECT_EQ(pool_of(tasks).threads(), 3u);
  for (const auto& each : calls) {
    each->release();
  }
  tasks.wait_until_idle();
}

TEST_F(BlockingPool, KeepsAThreadForTheNextCall) {
  accounted_executor tasks({.threads = 1}, &patient);
  for (int i = 0; i != 200; ++i) {
    tasks.block_on(calling, [] {});
    while (pool_of(tasks).idle_threads() == 0) {
      std::this_thread::yield();  // It is back only some time after its call's end is seen.
    }
  }
  EXPECT_EQ(pool_of(tasks).threads(), 1u);
}

TEST_F(BlockingPool, EndsThreadsThatHaveBeenIdle) {
  accounted_executor tasks({.threads = 1}, &impatient);
  for (int i = 0; i != 20; ++i) {
    tasks.block_on(calling, [] {});
    while (pool_of(tasks).threads() != 0) {
      std::this_thread::yield();
    }
  }
}

TEST_F(BlockingPool, AnIdleThreadIsEndedByTheExecutorsEnd) {
  std::thread([] {}).join();  // With its first thread a sanitizer may start one of its own.
  const std::size_t before = threads_of_process();
  {
    accounted_executor tasks({.threads = 1}, &patient);
    tasks.block_on(calling, [] {});
  }
  EXPECT_EQ(threads_of_process(), before);
}

TEST_F(BlockingPool, ServesFirstComeFirstServed) {
  std::vector<int> order;  // One thread.
  held_call first;
  accounted_executor tasks({.threads = 1, .blocking_threads = 1}, &patient);
  tasks.spawn(calling, std::ref(first));
  first.wait_until_begun();
  tasks.block_on([&]() -> task<> {
    for (int i = 0; i != 10; ++i) {
      spawn(calling, [&, i] { order.push_back(i); });
      co_await yield();
      co_await yield();
    }
  });
  first.release();
  tasks.wait_until_idle();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(BlockingPool, EveryCallOfManyThreadsIsMadeOnce) {
  std::atomic<int> made{0};
  for (const test_setup& setup : {impatient, patient}) {
    accounted_executor tasks({.threads = 2, .blocking_threads = 4}, &setup);
    std::vector<std::jthread> callers;
    for (int t = 0; t != 3; ++t) {
      callers.emplace_back([&] {
        for (int i = 0; i != 100; ++i) {
          tasks.block_on(calling, [&] { ++made; });
        }
      });
    }
    callers.clear();
    EXPECT_TRUE(pool_of(tasks).empty() || wait_for_blocking_calls(tasks, 1h));
    EXPECT_LE(pool_of(tasks).threads(), 4u);
  }
  EXPECT_EQ(made, 600);
}

}  // namespace
}  // namespace coppice::detail
