// The fork-join programs on coppice.
#include <coppice/gather.h>
#include <coppice/runtime.h>
#include <coppice/task.h>

#include <array>

#include "bench/support/forkjoin_contender.h"
#include "bench/support/nqueens_board.h"
#include "bench/support/opaque.h"

namespace bench {
namespace {

using coppice::gather_n;
using coppice::task;

BENCH_OPAQUE task<std::uint64_t> fib(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await coppice::gather(fib(n - 1), fib(n - 2));
  co_return x + y;
}

BENCH_OPAQUE task<std::uint64_t> skynet(std::uint64_t first, unsigned depth) {
  if (depth == 0) {
    co_return first;
  }
  const std::uint64_t step = power_of_ten(depth - 1);
  std::array<std::uint64_t, 10> sums;
  const auto child = [=](std::size_t i) { return skynet(first + i * step, depth - 1); };
  co_await gather_n(sums.size(), child, sums.begin());
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) {
    sum += part;
  }
  co_return sum;
}

template <std::size_t Queens>
BENCH_OPAQUE task<std::uint64_t> nqueens(board<Queens> queens, std::size_t row) {
  if (row == Queens) {
    co_return 1;
  }
  board<Queens> columns;
  const std::size_t count = free_columns(queens, row, columns);
  std::array<std::uint64_t, Queens> sums;
  const auto child = [&](std::size_t i) {
    queens[row] = columns[i];
    return nqueens(queens, row + 1);
  };
  co_await gather_n(count, child, sums.begin());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != count; ++i) {
    sum += sums[i];
  }
  co_return sum;
}

BENCH_OPAQUE task<void> matmul(product part) {
  if (part.rows <= product::leaf) {
    multiply(part);
    co_return;
  }
  for (unsigned k = 0; k != 2; ++k) {
    co_await coppice::gather(matmul(part.half(0, 0, k)), matmul(part.half(0, 1, k)),
                             matmul(part.half(1, 0, k)), matmul(part.half(1, 1, k)));
  }
}

class coppice_runtime final : public fork_join {
 public:
  explicit coppice_runtime(unsigned threads) : runtime_(coppice::options{.threads = threads}) {}

  std::uint64_t fib(unsigned n) override { return runtime_.block_on(bench::fib(n)); }
  std::uint64_t skynet(unsigned depth) override {
    return runtime_.block_on(bench::skynet(0, depth));
  }
  std::uint64_t nqueens(unsigned queens) override {
    return with_queens(queens, [this]<std::size_t Queens>() {
      return runtime_.block_on(bench::nqueens(board<Queens>{}, 0));
    });
  }
  void matmul(const product& whole) override { runtime_.block_on(bench::matmul(whole)); }

 private:
  coppice::runtime runtime_;
};

}  // namespace

std::unique_ptr<fork_join> start_coppice(unsigned threads) {
  return std::make_unique<coppice_runtime>(threads);
}

}  // namespace bench
