// Sizes, results and task counts of the fork-join programs, and the loops of matmul's leaves.
#include "bench/support/forkjoin_programs.h"

#include <algorithm>
#include <array>
#include <bit>

#include "bench/support/nqueens_board.h"
#include "bench/support/opaque.h"

namespace bench {
namespace {

struct size_range {
  unsigned least;
  unsigned most;
};

size_range sizes(program what) noexcept {
  switch (what) {
    case program::fib:
      return {0, 50};
    case program::skynet:
      return {0, 9};
    case program::nqueens:
      return {fewest_queens, most_queens};
    case program::matmul:
      return {product::leaf, 4096};
  }
  return {};
}

std::uint64_t fibonacci(unsigned n) noexcept {
  std::uint64_t current = 0;
  std::uint64_t next = 1;
  for (unsigned i = 0; i != n; ++i) {
    current = std::exchange(next, current + next);
  }
  return current;
}

// Counted by a program of another kind, which keeps sets of columns in the bits of an int.
struct queens_count {
  std::uint64_t tasks;
  std::uint64_t solutions;
};
constexpr std::array<queens_count, most_queens - fewest_queens + 1> queens_counts = {{
    {2'057, 92},
    {8'394, 352},
    {35'539, 724},
    {166'926, 2'680},
    {856'189, 14'200},
    {4'674'890, 73'712},
    {27'358'553, 365'596},
    {171'129'072, 2'279'184},
}};

}  // namespace

std::string name(program what) {
  switch (what) {
    case program::fib:
      return "fib";
    case program::skynet:
      return "skynet";
    case program::nqueens:
      return "nqueens";
    case program::matmul:
      return "matmul";
  }
  return {};
}

std::string name(problem one) {
  return name(one.what) + std::to_string(one.size);
}

std::string possible_sizes(program what) {
  const size_range range = sizes(what);
  return (what == program::matmul ? "a power of two from " : "a number from ") +
         std::to_string(range.least) + " to " + std::to_string(range.most);
}

bool possible(problem one) noexcept {
  const size_range range = sizes(one.what);
  return one.size >= range.least && one.size <= range.most &&
         (one.what != program::matmul || std::has_single_bit(one.size));
}

std::uint64_t task_count(problem one) noexcept {
  switch (one.what) {
    case program::fib:
      return 2 * fibonacci(one.size + 1) - 1;
    case program::skynet:
      return (power_of_ten(one.size + 1) - 1) / 9;
    case program::nqueens:
      return queens_counts[one.size - fewest_queens].tasks;
    case program::matmul: {
      std::uint64_t count = 1;
      for (unsigned rows = one.size; rows > product::leaf; rows /= 2) {
        count = 1 + 8 * count;
      }
      return count;
    }
  }
  return 0;
}

std::uint64_t right_result(problem one) noexcept {
  switch (one.what) {
    case program::fib:
      return fibonacci(one.size);
    case program::skynet: {
      const std::uint64_t leaves = power_of_ten(one.size);
      return leaves * (leaves - 1) / 2;
    }
    case program::nqueens:
      return queens_counts[one.size - fewest_queens].solutions;
    case program::matmul:
      return std::uint64_t{one.size} * one.size;
  }
  return 0;
}

problem warm_up(problem one) noexcept {
  switch (one.what) {
    case program::fib:
      return {one.what, std::min(one.size, 30U)};
    case program::skynet:
      return {one.what, std::min(one.size, 6U)};
    case program::nqueens:
      return {one.what, std::min(one.size, 11U)};
    case program::matmul:
      return one;
  }
  return one;
}

BENCH_OPAQUE void multiply(const product& leaf) noexcept {
  const std::size_t rows = leaf.rows;  // 64 bits: an index that may wrap is not vectorized.
  const std::size_t stride = leaf.stride;
  for (std::size_t i = 0; i != rows; ++i) {
    for (std::size_t k = 0; k != rows; ++k) {
      for (std::size_t j = 0; j != rows; ++j) {
        leaf.c[i * stride + j] += leaf.a[i * stride + k] * leaf.b[k * stride + j];
      }
    }
  }
}

matrices::matrices(unsigned rows)
    : rows_(rows),
      a_(std::size_t{rows} * rows, 1),
      b_(std::size_t{rows} * rows, 1),
      c_(std::size_t{rows} * rows, 0) {}

// A leaf left out, done twice or done by two at once leaves other numbers than these.
std::uint64_t matrices::right_cells() const noexcept {
  return static_cast<std::uint64_t>(std::ranges::count(c_, static_cast<int>(rows_)));
}

}  // namespace bench
