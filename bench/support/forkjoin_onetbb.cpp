// The fork-join programs on oneTBB, each with the call that was the fastest of those that suit it.
//
// parallel_invoke for a fixed few, task_group for ten or any number, the last child called rather
// than spawned. For fib and skynet, parallel_for and run_and_wait were up to a seventh slower.
#include <tbb/global_control.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <array>

#include "bench/support/forkjoin_contender.h"
#include "bench/support/nqueens_board.h"
#include "bench/support/opaque.h"

namespace bench {
namespace {

// Context is either nothing, so that each fork makes its own, or one tbb::task_group_context for all.

template <class... Context>
BENCH_OPAQUE std::uint64_t fib(unsigned n, Context&... context) {
  if (n < 2) {
    return n;
  }
  std::uint64_t x = 0;
  std::uint64_t y = 0;
  tbb::parallel_invoke([&, n] { x = fib(n - 1, context...); },
                       [&, n] { y = fib(n - 2, context...); }, context...);
  return x + y;
}

template <class... Context>
BENCH_OPAQUE std::uint64_t skynet(std::uint64_t first, unsigned depth, Context&... context) {
  if (depth == 0) {
    return first;
  }
  const std::uint64_t step = power_of_ten(depth - 1);
  std::array<std::uint64_t, 10> sums;
  tbb::task_group group{context...};
  for (std::uint64_t i = 0; i != 9; ++i) {
    group.run(
        [=, &sums, &context...] { sums[i] = skynet(first + i * step, depth - 1, context...); });
  }
  sums[9] = skynet(first + 9 * step, depth - 1, context...);
  group.wait();
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) {
    sum += part;
  }
  return sum;
}

template <std::size_t Queens, class... Context>
BENCH_OPAQUE std::uint64_t nqueens(board<Queens> queens, std::size_t row, Context&... context) {
  if (row == Queens) {
    return 1;
  }
  board<Queens> columns;
  const std::size_t count = free_columns(queens, row, columns);
  if (count == 0) {
    return 0;
  }
  std::array<std::uint64_t, Queens> sums;
  tbb::task_group group{context...};
  for (std::size_t i = 0; i + 1 != count; ++i) {
    queens[row] = columns[i];
    group.run([=, &sums, &context...] { sums[i] = nqueens(queens, row + 1, context...); });
  }
  queens[row] = columns[count - 1];
  sums[count - 1] = nqueens(queens, row + 1, context...);
  group.wait();
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != count; ++i) {
    sum += sums[i];
  }
  return sum;
}

template <class... Context>
BENCH_OPAQUE void matmul(const product& part, Context&... context) {
  if (part.rows <= product::leaf) {
    multiply(part);
    return;
  }
  for (unsigned k = 0; k != 2; ++k) {
    tbb::parallel_invoke([&] { matmul(part.half(0, 0, k), context...); },
                         [&] { matmul(part.half(0, 1, k), context...); },
                         [&] { matmul(part.half(1, 0, k), context...); },
                         [&] { matmul(part.half(1, 1, k), context...); }, context...);
  }
}

// One context a computation, or none: what comes after the arguments of the functions above.
template <bool Shared, class Solve>
auto in_context(Solve&& solve) {
  if constexpr (Shared) {
    tbb::task_group_context context;
    return solve(context);
  } else {
    return solve();
  }
}

template <bool Shared>
class onetbb final : public fork_join {
 public:
  explicit onetbb(unsigned threads)
      : most_threads_(tbb::global_control::max_allowed_parallelism, threads),
        arena_(static_cast<int>(threads)) {}

  std::uint64_t fib(unsigned n) override {
    return run([n](auto&... context) { return bench::fib(n, context...); });
  }
  std::uint64_t skynet(unsigned depth) override {
    return run([depth](auto&... context) { return bench::skynet(0, depth, context...); });
  }
  std::uint64_t nqueens(unsigned queens) override {
    return with_queens(queens, [this]<std::size_t Queens>() {
      return this->run(
          [](auto&... context) { return bench::nqueens(board<Queens>{}, 0, context...); });
    });
  }
  void matmul(const product& whole) override {
    run([&whole](auto&... context) { bench::matmul(whole, context...); });
  }

 private:
  template <class Solve>
  auto run(const Solve& solve) {
    return arena_.execute([&] { return in_context<Shared>(solve); });
  }

  tbb::global_control most_threads_;
  tbb::task_arena arena_;  // The caller is one of its threads.
};

}  // namespace

std::unique_ptr<fork_join> start_onetbb(unsigned threads) {
  return std::make_unique<onetbb<false>>(threads);
}

std::unique_ptr<fork_join> start_onetbb_shared(unsigned threads) {
  return std::make_unique<onetbb<true>>(threads);
}

}  // namespace bench
