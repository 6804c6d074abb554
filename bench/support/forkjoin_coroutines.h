// The fork-join programs as coroutines, by whatever form of fork.
//
// One form to a source file: where two share one, g++ no longer inlines what both need, and each task of fib takes 18
// instructions more.
#pragma once

#include <coppice/runtime.h>
#include <coppice/task.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "bench/support/forkjoin_contender.h"
#include "bench/support/nqueens_board.h"
#include "bench/support/opaque.h"

namespace bench {

using coppice::task;

// Fork::all(tasks...) and Fork::each(n, function, results) are awaited for what gather() and gather_n() give.
template <class Fork>
BENCH_OPAQUE task<std::uint64_t> fib(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await Fork::all(fib<Fork>(n - 1), fib<Fork>(n - 2));
  co_return x + y;
}

template <class Fork>
BENCH_OPAQUE task<std::uint64_t> skynet(std::uint64_t first, unsigned depth) {
  if (depth == 0) {
    co_return first;
  }
  const std::uint64_t step = power_of_ten(depth - 1);
  std::array<std::uint64_t, 10> sums;
  const auto child = [=](std::size_t i) { return skynet<Fork>(first + i * step, depth - 1); };
  co_await Fork::each(sums.size(), child, sums.begin());
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) {
    sum += part;
  }
  co_return sum;
}

template <class Fork, std::size_t Queens>
BENCH_OPAQUE task<std::uint64_t> nqueens(board<Queens> queens, std::size_t row) {
  if (row == Queens) {
    co_return 1;
  }
  board<Queens> columns;
  const std::size_t count = free_columns(queens, row, columns);
  std::array<std::uint64_t, Queens> sums;
  const auto child = [&](std::size_t i) {
    queens[row] = columns[i];
    return nqueens<Fork>(queens, row + 1);
  };
  co_await Fork::each(count, child, sums.begin());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != count; ++i) {
    sum += sums[i];
  }
  co_return sum;
}

template <class Fork>
BENCH_OPAQUE task<void> matmul(product part) {
  if (part.rows <= product::leaf) {
    multiply(part);
    co_return;
  }
  for (unsigned k = 0; k != 2; ++k) {
    co_await Fork::all(matmul<Fork>(part.half(0, 0, k)), matmul<Fork>(part.half(0, 1, k)),
                       matmul<Fork>(part.half(1, 0, k)), matmul<Fork>(part.half(1, 1, k)));
  }
}

template <class Fork>
class coppice_runtime final : public fork_join {
 public:
  explicit coppice_runtime(unsigned threads) : runtime_(coppice::options{.threads = threads}) {}

  std::uint64_t fib(unsigned n) override { return runtime_.block_on(bench::fib<Fork>(n)); }
  std::uint64_t skynet(unsigned depth) override {
    return runtime_.block_on(bench::skynet<Fork>(0, depth));
  }
  std::uint64_t nqueens(unsigned queens) override {
    return with_queens(queens, [this]<std::size_t Queens>() {
      return runtime_.block_on(bench::nqueens<Fork>(board<Queens>{}, 0));
    });
  }
  void matmul(const product& whole) override { runtime_.block_on(bench::matmul<Fork>(whole)); }

 private:
  coppice::runtime runtime_;
};

}  // namespace bench
