// What examples/guides/from_onetbb.md shows, run.
#include <coppice/coppice.h>
#include <coppice/tbb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/sanitizers.h"

namespace guides {
namespace {

// ---- Shown --------------------------------------------------------------------------------------

namespace co = coppice;
using namespace std::chrono_literals;

co::task<std::uint64_t> fibonacci(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await co::gather(fibonacci(n - 1), fibonacci(n - 2));
  co_return x + y;
}

using rows = tbb::blocked_range<std::size_t>;

co::task<double> sum_of_squares(const std::vector<double>& numbers) {
  const auto add = [&](const rows& part, double sum) {
    for (std::size_t i = part.begin(); i != part.end(); ++i) {
      sum += numbers[i] * numbers[i];
    }
    return sum;
  };
  co_return co_await co::parallel_reduce(rows(0, numbers.size()), 0.0, add, std::plus<>());
}

co::task<bool> sort_in_time(std::vector<double>& numbers, co::duration limit) {
  co_return co_await co::move_on_after(
      limit, [&] { return co::parallel_sort(numbers.begin(), numbers.end()); });
}

co::task<bool> search_ends_at_the_first_hit(const std::vector<double>& numbers, double wanted) {
  std::atomic<bool> found = false;
  const auto body = [&](co::task_group& group) -> co::task<> {
    const co::scope_handle search = group.handle();
    const auto look = [&](std::size_t i) {
      if (numbers[i] == wanted && !found.exchange(true)) {
        search.cancel();
      }
    };
    co_await co::parallel_for(std::size_t{0}, numbers.size(), look);
  };
  co_await co::with_group(body);
  co_return found;
}

co::task<std::size_t> count_failures() {
  const auto fail_at_odd = [](int i) {
    if (i % 2 == 1) {
      throw std::runtime_error("row " + std::to_string(i));
    }
  };
  std::size_t failures = 0;
  try {
    co_await co::parallel_for(0, 1000, fail_at_odd);
  } catch (const co::exception_group& all) {
    failures = all.leaf_count();
  }
  co_return failures;
}

// ---- Run ----------------------------------------------------------------------------------------

// oneTBB's library is not compiled for the thread sanitizer: there, one worker.
class FromOneTbb : public testing::Test {
 protected:
  co::runtime rt_{
      co::options{.threads = coppice::testing_support::under_thread_sanitizer ? 1u : 2u}};
};

TEST_F(FromOneTbb, ForkAndJoin) {
  EXPECT_EQ(rt_.block_on(fibonacci(20)), 6765u);
}

TEST_F(FromOneTbb, Loops) {
  const std::vector<double> numbers(10'000, 2);
  EXPECT_EQ(rt_.block_on(sum_of_squares(numbers)), 40'000);
}

TEST_F(FromOneTbb, AStop) {
  std::vector<double> numbers(1'000'000);
  for (std::size_t i = 0; i != numbers.size(); ++i) {
    numbers[i] = static_cast<double>(i * 7919 % numbers.size());
  }
  EXPECT_FALSE(rt_.block_on(sort_in_time(numbers, 0s)));
  EXPECT_TRUE(rt_.block_on(sort_in_time(numbers, 1h)));
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_TRUE(rt_.block_on(search_ends_at_the_first_hit(numbers, 7919)));
  EXPECT_FALSE(rt_.block_on(search_ends_at_the_first_hit(numbers, -1)));
}

TEST_F(FromOneTbb, Failures) {
  const std::size_t failures = rt_.block_on(count_failures());
  EXPECT_GE(failures, 1u);
  EXPECT_LE(failures, rt_.workers());
}

}  // namespace
}  // namespace guides
