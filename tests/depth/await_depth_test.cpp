#include <coppice/detail/fork_join.h>
#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <thread>
#include <tuple>

#include "tests/support/accounting.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;

// Each parameter is a worker's stack, in KiB: what overflows it ends the program.
class Depth : public testing_support::accounted_test, public testing::WithParamInterface<unsigned> {
 protected:
  static options small_stack() {
    return {.threads = 1, .stack_size = std::size_t{GetParam()} * 1024};
  }
};

task<int> ready(int n) {
  co_return n;
}

task<long> chain(int depth) {
  if (depth == 0) {
    co_return 0;
  }
  co_return 1 + co_await chain(depth - 1);
}

task<long> throwing_chain(int depth) {
  if (depth == 0) {
    throw std::string("bottom");
  }
  const long below = co_await throwing_chain(depth - 1);
  co_return below + 1;
}

task<> stopped_chain(int depth, long& destroyed) {
  struct count {
    long& destroyed;
    ~count() { ++destroyed; }
  };
  const count mine{destroyed};
  if (depth != 0) {
    co_await stopped_chain(depth - 1, destroyed);
  } else {
    this_task::ref().cancel();
    co_await checkpoint();
  }
}

task<> sleeping_chain(int depth, long& destroyed) {
  struct count {
    long& destroyed;
    ~count() { ++destroyed; }
  };
  const count mine{destroyed};
  if (depth != 0) {
    co_await sleeping_chain(depth - 1, destroyed);
  } else {
    co_await sleep_for(forever);
  }
}

task<long> deep_on_the_left(int depth) {
  if (depth == 0) {
    co_return 1;
  }
  const auto [left, right] = co_await detail::fork_join(deep_on_the_left(depth - 1), ready(1));
  co_return left + right;
}

task<long> deep_on_the_right(int depth) {
  if (depth == 0) {
    co_return 1;
  }
  const auto [left, right] = co_await detail::fork_join(ready(1), deep_on_the_right(depth - 1));
  co_return left + right;
}

TEST_P(Depth, AMillionAwaitsThatAreReadyAtOnce) {
  accounted_executor tasks(small_stack());
  const long sum = tasks.block_on([]() -> task<long> {
    long total = 0;
    for (int i = 0; i != 1'000'000; ++i) {
      total += co_await ready(1);
    }
    co_return total;
  });
  EXPECT_EQ(sum, 1'000'000);
}

TEST_P(Depth, AMillionAwaitsOfATaskThatHasEnded) {
  accounted_executor tasks(small_stack());
  const long sum = tasks.block_on([]() -> task<long> {
    const task_handle<int> ended = spawn(ready(1));
    long total = 0;
    for (int i = 0; i != 1'000'000; ++i) {
      total += co_await ended;
    }
    co_return total;
  });
  EXPECT_EQ(sum, 1'000'000);
}

TEST_P(Depth, AChainOfAwaits200000Deep) {
  accounted_executor tasks(small_stack());
  EXPECT_EQ(tasks.block_on(chain(200'000)), 200'000);
}

TEST_P(Depth, AFailureThroughAChain) {
  accounted_executor tasks(small_stack());
  EXPECT_THROW(tasks.block_on(throwing_chain(20'000)), std::string);
}

TEST_P(Depth, AStopThroughAChainAMillionDeep) {
  accounted_executor tasks(small_stack());
  long destroyed = 0;
  EXPECT_THROW(tasks.block_on(stopped_chain(1'000'000, destroyed)), task_cancelled);
  EXPECT_EQ(destroyed, 1'000'001);
}

TEST_P(Depth, ACancelOfAChainAMillionDeep) {
  accounted_executor tasks(small_stack());
  long destroyed = 0;
  const task_handle<> handle = tasks.spawn(sleeping_chain(1'000'000, destroyed));
  while (handle.status() != task_status::suspended) {
    std::this_thread::yield();
  }
  handle.cancel();
  tasks.wait_until_idle();
  EXPECT_EQ(destroyed, 1'000'001);
}

TEST_P(Depth, AForkThatIsDeepOnOneSide) {
  accounted_executor tasks(small_stack());
  EXPECT_EQ(tasks.block_on(deep_on_the_left(100'000)), 100'001);
  EXPECT_EQ(tasks.block_on(deep_on_the_right(100'000)), 100'001);
}

TEST_P(Depth, TheSameWithThieves) {
  options from = small_stack();
  from.threads = 3;
  accounted_executor tasks(from);
  EXPECT_EQ(tasks.block_on(deep_on_the_left(100'000)), 100'001);
  EXPECT_EQ(tasks.block_on(deep_on_the_right(100'000)), 100'001);
}

TEST_P(Depth, TasksThatSpawnTheNext) {
  accounted_executor tasks(small_stack());
  const long full = 200'000;
  long ran = 0;
  const auto next = [&](auto self) -> task<> {
    if (++ran != full) {
      spawn(self, self);
    }
    co_return;
  };
  tasks.spawn(next, next);
  tasks.wait_until_idle();
  EXPECT_EQ(ran, full);
}

INSTANTIATE_TEST_SUITE_P(StackKiB, Depth, testing::Values(256, 64));

}  // namespace
}  // namespace coppice
