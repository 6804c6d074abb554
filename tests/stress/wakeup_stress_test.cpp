#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/load.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::rounds;

// A million rounds, a third with each number of workers.
constexpr long million_by_three = 333'334;

// A wake-up that is lost shows as a test that does not end. Each parameter is a number of workers.
class WakeUp : public testing_support::accounted_test,
               public testing::WithParamInterface<unsigned> {
 protected:
  WakeUp() : seed_(std::random_device()()), random_(seed_) {}

  void SetUp() override { RecordProperty("seed", static_cast<int>(seed_)); }

  void TearDown() override {
    if (HasFailure()) {
      std::printf("seed %u\n", seed_);
    }
    accounted_test::TearDown();
  }

  // Sometimes nothing, sometimes as long as a worker takes to search, sleep or wake.
  void pause() {
    if (random_() % 2 == 0) {
      return;
    }
    const auto until = clock::now() + std::chrono::microseconds(random_() % 50);
    while (clock::now() < until) {
    }
  }

  const unsigned seed_;
  std::minstd_rand random_;
};

TEST_P(WakeUp, ForATaskFromAPlainThreadIsNeverLost) {
  accounted_executor tasks({.threads = GetParam()});
  std::atomic<long> last{-1};
  const long n = rounds(million_by_three);
  for (long i = 0; i != n; ++i) {
    tasks.spawn([&last, i] {
      last = i;
      last.notify_one();
    });
    for (long seen = last; seen != i; seen = last) {
      last.wait(seen);
    }
    pause();
  }
}

TEST_P(WakeUp, ForATaskThatItsMakerWaitsForWithoutGivingWayIsNeverLost) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "nobody else could run it";
  }
  accounted_executor tasks({.threads = GetParam()});
  const long n = rounds(million_by_three);
  tasks.block_on([&]() -> task<> {
    for (long i = 0; i != n; ++i) {
      const int children = 1 + static_cast<int>(random_() % 3);
      std::atomic<int> ended{0};
      std::vector<task_handle<>> handles;
      for (int k = 0; k != children; ++k) {
        handles.push_back(spawn([&] { ++ended; }));
      }
      while (ended != children) {  // Holds its worker.
        std::this_thread::yield();
      }
      for (const task_handle<>& each : handles) {
        co_await each;
      }
      pause();
    }
  });
}

TEST_P(WakeUp, ForATimerIsNeverLost) {
  accounted_executor tasks({.threads = GetParam()});
  const long n = rounds(million_by_three);
  tasks.block_on([&]() -> task<> {
    for (long i = 0; i != n; ++i) {
      co_await sleep_for(std::chrono::microseconds(random_() % 20));
    }
  });
}

TEST_P(WakeUp, ForAHandleThatEndsElsewhereIsNeverLost) {
  accounted_executor tasks({.threads = GetParam()});
  accounted_executor others({.threads = 1});
  const long n = rounds(million_by_three);
  const long sum = tasks.block_on([&]() -> task<long> {
    long total = 0;
    for (long i = 0; i != n; ++i) {
      const auto one = [] { return 1L; };
      const task_handle<long> there = others.spawn(one);
      if (random_() % 4 == 0) {
        pause();
      }
      total += co_await there;
    }
    co_return total;
  });
  EXPECT_EQ(sum, n);
}

TEST_P(WakeUp, ForACancelIsNeverLost) {
  accounted_executor tasks({.threads = GetParam()});
  const auto sleeps = []() -> task<> { co_await sleep_for(forever); };
  const long n = rounds(million_by_three);
  for (long i = 0; i != n; ++i) {
    const task_handle<> handle = tasks.spawn(sleeps);
    pause();
    handle.cancel();
    tasks.wait_until_idle();
    ASSERT_EQ(handle.status(), task_status::cancelled);
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, WakeUp, testing::Values(1, 2, 4));

}  // namespace
}  // namespace coppice
