// Loops of oneTBB in tasks: on the runtime's own workers, with a deadline, and with every failure kept.
#include <coppice/coppice.h>
#include <coppice/tbb.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>

namespace co = coppice;
using namespace std::chrono_literals;

using numbers = tbb::blocked_range<std::uint64_t>;

// How many steps until n is 1, of the n below `end` that takes the most (Collatz).
co::task<std::uint64_t> longest_way_below(std::uint64_t end) {
  const auto longest_of = [](const numbers& part, std::uint64_t longest) {
    for (std::uint64_t start = part.begin(); start != part.end(); ++start) {
      std::uint64_t steps = 0;
      for (std::uint64_t n = start; n != 1; ++steps) {
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
      }
      longest = std::max(longest, steps);
    }
    return longest;
  };
  const auto longer = [](std::uint64_t a, std::uint64_t b) { return std::max(a, b); };
  co_return co_await co::parallel_reduce(numbers(1, end), std::uint64_t{0}, longest_of, longer);
}

co::task<> check_rows() {
  const auto check = [](int row) {
    if (row == 77) {
      throw std::invalid_argument("row 77: no price");
    }
  };
  co_await co::parallel_for(0, 1000, check);
}

co::task<> show() {
  std::cout << "longest way below 100000: " << co_await longest_way_below(100'000) << " steps\n";

  const auto in_time = co_await co::move_on_after(20ms, longest_way_below(std::uint64_t{1} << 50));
  std::cout << "below 2^50, in 20 ms: " << (in_time ? "done" : "stopped, without half a result")
            << '\n';

  try {
    co_await check_rows();
  } catch (const co::exception_group& failed) {
    for (const co::error_entry& each : failed.exceptions()) {
      if (const auto* const error = each.get_if<std::invalid_argument>()) {
        std::cout << failed.message() << ": " << error->what() << '\n';
      }
    }
  }
}

int main() {
  return co::run(show);
}
