// Which threads run oneTBB's algorithms in tasks, and what stops them.
#include <coppice/detail/tbb_loop.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/tbb.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/tbb_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::indices;
using testing_support::sum_to;
using testing_support::wait_until;

namespace co = coppice;

class TbbLoop : public testing_support::tbb_test {};
INSTANTIATE_TEST_SUITE_P(Workers, TbbLoop, testing::Values(1u, 2u, 4u));

// ---- Who runs them ------------------------------------------------------------------------------

// A thread of the runtime's has a name of that kind.
std::string name_of_this_thread() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

// Each of so many bodies waits until that many threads are inside.
task<std::set<std::string>> threads_that_meet(unsigned many) {
  std::mutex mutex;
  std::set<std::string> threads;
  const auto meet = [&](std::size_t) {
    {
      const std::lock_guard lock(mutex);
      threads.insert(name_of_this_thread());
    }
    wait_until([&] {
      const std::lock_guard lock(mutex);
      return threads.size() >= many;
    });
  };
  co_await co::parallel_for(std::size_t{0}, std::size_t{64}, meet, tbb::simple_partitioner());
  co_return threads;
}

TEST_P(TbbLoop, AllWorkersHelpAndNobodyElse) {
  rt_.block_on([&]() -> task<> {
    for (int i = 0; i != 20; ++i) {
      const std::set<std::string> threads = co_await threads_that_meet(GetParam());
      EXPECT_EQ(threads.size(), GetParam());
      for (const std::string& each : threads) {
        EXPECT_TRUE(each.starts_with("coppice/")) << each;
      }
    }
  });
}

TEST(TbbThreads, OffLeavesTheRuntimesOtherWorkersAlone) {
  if (testing_support::under_thread_sanitizer) {
    GTEST_SKIP() << testing_support::tbb_is_not_instrumented;
  }
  runtime rt({.threads = 2, .tbb = tbb_threads::off});
  rt.block_on([]() -> task<> {
    const std::string mine = name_of_this_thread();
    std::mutex mutex;
    std::set<std::string> others;
    const auto look = [&](std::size_t) {
      const std::lock_guard lock(mutex);
      if (const std::string name = name_of_this_thread(); name != mine) {
        others.insert(name);
      }
    };
    co_await co::parallel_for(std::size_t{0}, std::size_t{10'000}, look, tbb::simple_partitioner());
    for (const std::string& each : others) {
      EXPECT_FALSE(each.starts_with("coppice/")) << each;
    }
  });
}

TEST_P(TbbLoop, OthersRunBesideALoopThatTakesLong) {
  std::atomic<bool> over = false;
  std::atomic<int> turns = 0;
  rt_.block_on([&]() -> task<> {
    const auto body = [&](task_group& group) -> task<> {
      if (rt_.workers() > 1) {
        group.spawn([&]() -> task<> {
          while (!over) {
            ++turns;
            co_await sleep_for(1ms);
          }
        });
      }
      const auto busy = [&](std::size_t) {
        const time_point end = clock::now() + 100us;
        while (clock::now() < end) {
        }
      };
      co_await co::parallel_for(std::size_t{0}, std::size_t{1000}, busy, tbb::simple_partitioner());
      over = true;
    };
    co_await with_group(body);
  });
  if (rt_.workers() > 1) {
    EXPECT_GE(turns, 3);
  }
}

TEST_P(TbbLoop, LoopsOfManyTasksSideBySideAndInOneAnother) {
  rt_.block_on([&]() -> task<> {
    const auto nested = [](std::size_t outer) -> std::uint64_t {
      return tbb::parallel_reduce(
          indices(0, 100), std::uint64_t{0},
          [&](const indices& part, std::uint64_t sum) {
            for (std::size_t i = part.begin(); i != part.end(); ++i) {
              sum += outer + i;
            }
            return sum;
          },
          std::plus<>());
    };
    const auto sum = [&]() -> task<> {
      const auto add = [&](const indices& part, std::uint64_t so_far) {
        for (std::size_t i = part.begin(); i != part.end(); ++i) {
          so_far += nested(i);
        }
        return so_far;
      };
      const std::uint64_t all =
          co_await co::parallel_reduce(indices(0, 100), std::uint64_t{0}, add, std::plus<>());
      EXPECT_EQ(all, 200 * sum_to(100));
    };
    const auto body = [&](task_group& group) -> task<> {
      for (int i = 0; i != 20; ++i) {
        group.spawn(sum);
      }
      co_return;
    };
    co_await with_group(body);
  });
}

TEST_P(TbbLoop, ARuntimeMayEndAsSoonAsItsLoopHas) {
  for (int i = 0; i != 50; ++i) {
    runtime brief({.threads = GetParam()});
    std::atomic<int> calls = 0;
    brief.block_on([&]() -> task<> {
      const auto count = [&](int) { ++calls; };
      co_await co::parallel_for(0, 10, count);
    });
    EXPECT_EQ(calls, 10);
  }
}

// ---- Stops --------------------------------------------------------------------------------------

void take(duration d) {
  const time_point end = clock::now() + d;
  while (clock::now() < end) {
  }
}

TEST_P(TbbLoop, AStopEndsALoopAndItsTask) {
  with_each_partitioner([&](auto&& partitioner) {
    rt_.block_on([&]() -> task<> {
      std::atomic<int> calls = 0;
      bool went_on = false;
      const auto loop = [&]() -> task<> {
        const auto call = [&](int) {
          ++calls;
          take(10us);
        };
        co_await co::parallel_for(0, 1'000'000'000, call, partitioner);
        went_on = true;
      };
      EXPECT_FALSE(co_await move_on_after(20ms, loop));
      EXPECT_FALSE(went_on);
      EXPECT_GT(calls, 0);
    });
  });
}

TEST_P(TbbLoop, AStopThatWasThereBeforeCallsNobody) {
  rt_.block_on([&]() -> task<> {
    const auto loop = []() -> task<> {
      const auto never = [](int) { ADD_FAILURE(); };
      co_await co::parallel_for(0, 100, never);
    };
    const auto body = [&](task_group& group) -> task<> {
      group.cancel();
      co_await loop();
    };
    co_await with_group(body);
  });
}

TEST_P(TbbLoop, NoneGivesHalfAResult) {
  rt_.block_on([&]() -> task<> {
    const auto slow = [](const indices& part, int sum) {
      take(10us * part.size());
      return sum;
    };
    const auto slow_scan = [&](const indices& part, int sum, bool) { return slow(part, sum); };
    const indices many(0, 1'000'000'000);
    const auto reduce = [&]() -> task<int> {
      return co::parallel_reduce(many, 0, slow, std::plus<>());
    };
    const auto scan = [&]() -> task<int> {
      return co::parallel_scan(many, 0, slow_scan, std::plus<>());
    };
    EXPECT_EQ(co_await move_on_after(10ms, reduce), std::nullopt);
    EXPECT_EQ(co_await move_on_after(10ms, scan), std::nullopt);
  });
}

TEST_P(TbbLoop, ASortThatIsStoppedHasAllElements) {
  rt_.block_on([&]() -> task<> {
    std::vector<unsigned> numbers(300'000);
    std::mt19937 random(7);
    std::iota(numbers.begin(), numbers.end(), 0u);
    std::shuffle(numbers.begin(), numbers.end(), random);
    const auto slowly = [](unsigned left, unsigned right) {
      take(1us);
      return left < right;
    };
    const auto sort = [&]() -> task<> {
      co_await co::parallel_sort(numbers.begin(), numbers.end(), slowly);
    };
    static_cast<void>(co_await move_on_after(50ms, sort));
    std::sort(numbers.begin(), numbers.end());
    for (unsigned i = 0; i != numbers.size(); ++i) {
      EXPECT_EQ(numbers[i], i);
    }
  });
}

TEST_P(TbbLoop, WhatIsShieldedRunsToItsEnd) {
  rt_.block_on([&]() -> task<> {
    std::atomic<int> calls = 0;
    const auto loop = [&]() -> task<> {
      const auto call = [&](int) {
        ++calls;
        take(100us);
      };
      co_await co::parallel_for(0, 200, call);
    };
    const auto shielded = [&]() -> task<> { co_await shield(loop); };
    static_cast<void>(co_await move_on_after(1ms, shielded));
    EXPECT_EQ(calls, 200);
  });
}

}  // namespace
}  // namespace coppice
