// The fork-join programs by plain recursion: what the work costs without any forks.
#include <array>

#include "bench/support/forkjoin_contender.h"
#include "bench/support/nqueens_board.h"
#include "bench/support/opaque.h"

namespace bench {
namespace {

BENCH_OPAQUE std::uint64_t fib(unsigned n) {
  if (n < 2) {
    return n;
  }
  const std::uint64_t x = fib(n - 1);
  std::uint64_t y = fib(n - 2);
  forget(y);
  return x + y;
}

BENCH_OPAQUE std::uint64_t skynet(std::uint64_t first, unsigned depth) {
  if (depth == 0) {
    return first;
  }
  const std::uint64_t step = power_of_ten(depth - 1);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i != 10; ++i) {
    std::uint64_t part = skynet(first + i * step, depth - 1);
    forget(part);
    sum += part;
  }
  return sum;
}

template <std::size_t Queens>
BENCH_OPAQUE std::uint64_t nqueens(board<Queens> queens, std::size_t row) {
  if (row == Queens) {
    return 1;
  }
  board<Queens> columns;
  const std::size_t count = free_columns(queens, row, columns);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != count; ++i) {
    queens[row] = columns[i];
    std::uint64_t part = nqueens(queens, row + 1);
    forget(part);
    sum += part;
  }
  return sum;
}

BENCH_OPAQUE void matmul(const product& part) {
  if (part.rows <= product::leaf) {
    multiply(part);
    return;
  }
  for (unsigned k = 0; k != 2; ++k) {
    matmul(part.half(0, 0, k));
    matmul(part.half(0, 1, k));
    matmul(part.half(1, 0, k));
    matmul(part.half(1, 1, k));
  }
}

class serial final : public fork_join {
 public:
  std::uint64_t fib(unsigned n) override { return bench::fib(n); }
  std::uint64_t skynet(unsigned depth) override { return bench::skynet(0, depth); }
  std::uint64_t nqueens(unsigned queens) override {
    return with_queens(queens,
                       []<std::size_t Queens>() { return bench::nqueens(board<Queens>{}, 0); });
  }
  void matmul(const product& whole) override { bench::matmul(whole); }
};

}  // namespace

std::unique_ptr<fork_join> start_serial(unsigned) {
  return std::make_unique<serial>();
}

}  // namespace bench
