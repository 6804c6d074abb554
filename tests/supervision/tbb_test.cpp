// What oneTBB's algorithms give in tasks, and what they throw.
#include <coppice/runtime.h>
#include <coppice/tbb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <oneapi/tbb/blocked_range2d.h>

#include "tests/support/tbb_test.h"

namespace coppice {
namespace {

using testing::Each;
using testing::UnorderedElementsAre;
using testing_support::indices;
using testing_support::sum_to;
using testing_support::wait_until;

namespace co = coppice;

class Tbb : public testing_support::tbb_test {};
INSTANTIATE_TEST_SUITE_P(Workers, Tbb, testing::Values(1u, 2u, 4u));

// ---- What they give -----------------------------------------------------------------------------

TEST_P(Tbb, ForCallsEachIndexOnce) {
  rt_.block_on([&]() -> task<> {
    std::vector<int> calls(100'000);
    const auto call = [&](std::size_t i) { ++calls[i]; };
    co_await co::parallel_for(std::size_t{0}, calls.size(), call);
    EXPECT_THAT(calls, Each(1));
  });
}

TEST_P(Tbb, ForOfARangeWithEachPartitioner) {
  with_each_partitioner([&](auto&& partitioner) {
    rt_.block_on([&]() -> task<> {
      std::vector<int> calls(100'000);
      const auto call = [&](const indices& part) {
        for (std::size_t i = part.begin(); i != part.end(); ++i) {
          ++calls[i];
        }
      };
      co_await co::parallel_for(indices(0, calls.size(), 100), call, partitioner);
      EXPECT_THAT(calls, Each(1));
    });
  });
}

TEST_P(Tbb, ForInStepsAndOfNothing) {
  rt_.block_on([&]() -> task<> {
    std::mutex mutex;
    std::vector<int> seen;
    const auto see = [&](int i) {
      const std::lock_guard lock(mutex);
      seen.push_back(i);
    };
    co_await co::parallel_for(-3, 8, 5, see);
    EXPECT_THAT(seen, UnorderedElementsAre(-3, 2, 7));
    seen.clear();
    co_await co::parallel_for(5, 5, see);
    co_await co::parallel_for(5, 1, see);
    EXPECT_TRUE(seen.empty());
    EXPECT_THROW(co_await co::parallel_for(0, 5, 0, see), usage_error);
    EXPECT_THROW(co_await co::parallel_for(0, 5, -1, see), usage_error);
    const auto never = [](const indices&) { ADD_FAILURE(); };
    co_await co::parallel_for(indices(7, 7), never);
  });
}

TEST_P(Tbb, ForOfTwoDimensions) {
  rt_.block_on([&]() -> task<> {
    using square = tbb::blocked_range2d<int>;
    std::atomic<int> cells = 0;
    const auto count = [&](const square& part) {
      cells += static_cast<int>(part.rows().size() * part.cols().size());
    };
    co_await co::parallel_for(square(0, 300, 0, 200), count);
    EXPECT_EQ(cells, 60'000);
  });
}

TEST_P(Tbb, ReduceKeepsTheOrder) {
  with_each_partitioner([&](auto&& partitioner) {
    rt_.block_on([&]() -> task<> {
      const auto append = [](const indices& part, std::string text) {
        for (std::size_t i = part.begin(); i != part.end(); ++i) {
          text += std::to_string(i) + ' ';
        }
        return text;
      };
      std::string all;
      for (int i = 0; i != 3000; ++i) {
        all += std::to_string(i) + ' ';
      }
      const std::string given = co_await co::parallel_reduce(indices(0, 3000), std::string(),
                                                             append, std::plus<>(), partitioner);
      EXPECT_EQ(given, all);
    });
  });
}

TEST_P(Tbb, ReduceOfNothingIsTheIdentity) {
  rt_.block_on([&]() -> task<> {
    const auto body = [](const indices&, int) { return 7; };
    EXPECT_EQ(co_await co::parallel_reduce(indices(3, 3), -1, body, std::plus<>()), -1);
  });
}

TEST_P(Tbb, ScanWritesWhatIsBefore) {
  rt_.block_on([&]() -> task<> {
    std::vector<std::uint64_t> before(50'000);
    const auto scan = [&](const indices& part, std::uint64_t sum, bool is_final) {
      for (std::size_t i = part.begin(); i != part.end(); ++i) {
        sum += i;
        if (is_final) {
          before[i] = sum;
        }
      }
      return sum;
    };
    const std::uint64_t all = co_await co::parallel_scan(indices(0, before.size()),
                                                         std::uint64_t{0}, scan, std::plus<>());
    EXPECT_EQ(all, sum_to(before.size()));
    for (std::size_t i = 0; i != before.size(); ++i) {
      EXPECT_EQ(before[i], sum_to(i + 1));
    }
  });
}

TEST_P(Tbb, SortSorts) {
  rt_.block_on([&]() -> task<> {
    std::mt19937 random(7);
    std::vector<unsigned> numbers(200'000);
    std::generate(numbers.begin(), numbers.end(), std::ref(random));
    std::vector<unsigned> sorted = numbers;
    std::sort(sorted.begin(), sorted.end());
    co_await co::parallel_sort(numbers.begin(), numbers.end());
    EXPECT_EQ(numbers, sorted);
    co_await co::parallel_sort(numbers.begin(), numbers.end(), std::greater<>());
    std::reverse(sorted.begin(), sorted.end());
    EXPECT_EQ(numbers, sorted);
    co_await co::parallel_sort(numbers.begin(), numbers.begin());
  });
}

TEST_P(Tbb, InvokeCallsEach) {
  rt_.block_on([&]() -> task<> {
    std::atomic<int> called = 0;
    const auto call = [&] { ++called; };
    co_await co::parallel_invoke(call);
    EXPECT_EQ(called, 1);
    co_await co::parallel_invoke(call, call, call, call, call);
    EXPECT_EQ(called, 6);
  });
}

// ---- Failures -----------------------------------------------------------------------------------

TEST_P(Tbb, AFailureLeavesTheRestOut) {
  with_each_partitioner([&](auto&& partitioner) {
    rt_.block_on([&]() -> task<> {
      std::atomic<int> calls = 0;
      const auto fail = [&](int) {
        ++calls;
        throw std::runtime_error("odd");
      };
      try {
        co_await co::parallel_for(0, 1'000'000, fail, partitioner);
        ADD_FAILURE();
      } catch (const exception_group& group) {
        EXPECT_EQ(group.message(), "parallel_for failed");
        EXPECT_EQ(group.leaf_count(), static_cast<std::size_t>(calls));
        EXPECT_LE(group.leaf_count(), GetParam());
        EXPECT_TRUE(group.exceptions()[0].template get_if<std::runtime_error>());
      }
    });
  });
}

TEST_P(Tbb, AllThatWereThrownAreCollected) {
  rt_.block_on([&]() -> task<> {
    std::atomic<unsigned> inside = 0;
    const auto fail_together = [&](unsigned i) {
      ++inside;
      wait_until([&] { return inside >= GetParam(); });
      throw std::out_of_range(std::to_string(i));
    };
    try {
      co_await co::parallel_for(0u, GetParam(), fail_together, tbb::simple_partitioner());
      ADD_FAILURE();
    } catch (const exception_group& group) {
      EXPECT_EQ(group.leaf_count(), GetParam());
    }
  });
}

TEST_P(Tbb, OfEachAlgorithm) {
  rt_.block_on([&]() -> task<> {
    const auto broken = [](const indices&, int) -> int { throw std::out_of_range("body"); };
    const auto broken_scan = [](const indices&, int, bool) -> int { throw std::out_of_range("s"); };
    const auto broken_less = [](int, int) -> bool { throw std::out_of_range("less"); };
    const auto broken_call = [] { throw std::out_of_range("call"); };
    const indices many(0, 1000);
    std::vector<int> numbers(10'000);
    std::iota(numbers.rbegin(), numbers.rend(), 0);
    EXPECT_THROW(co_await co::parallel_reduce(many, 0, broken, std::plus<>()), exception_group);
    EXPECT_THROW(co_await co::parallel_scan(many, 0, broken_scan, std::plus<>()), exception_group);
    EXPECT_THROW(co_await co::parallel_sort(numbers.begin(), numbers.end(), broken_less),
                 exception_group);
    EXPECT_THROW(co_await co::parallel_invoke(broken_call, broken_call), exception_group);
  });
}

// Two results are only made where two threads have worked.
TEST_P(Tbb, OfWhatPutsTwoResultsTogether) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "one worker makes one result";
  }
  rt_.block_on([&]() -> task<> {
    std::atomic<int> inside = 0;
    const auto meet = [&](const indices&, int sum) {
      ++inside;
      wait_until([&] { return inside >= 2; });
      return sum;
    };
    const auto broken_sum = [](int, int) -> int { throw std::out_of_range("sum"); };
    EXPECT_THROW(co_await co::parallel_reduce(indices(0, 1000), 0, meet, broken_sum,
                                              tbb::simple_partitioner()),
                 exception_group);
  });
}

TEST_P(Tbb, AFatalOneLeavesAsItIs) {
  const auto loop = [](int) { throw fatal_error("the disk is on fire"); };
  EXPECT_THROW(rt_.block_on([&]() -> task<> { co_await co::parallel_for(0, 100, loop); }),
               fatal_error);
}

}  // namespace
}  // namespace coppice
