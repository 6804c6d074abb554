// Fork-join, and slices that poll.
#include "bench/fanout/load.h"

#include <chrono>

#include "bench/support/opaque.h"

namespace bench::fanout_suite {
namespace {

constexpr unsigned size = 24;
constexpr std::size_t result = 46'368;

BENCH_OPAQUE task<std::size_t> fib(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await coppice::gather(fib(n - 1), fib(n - 2));
  co_return x + y;
}

task<> slice() {
  const auto begun = clock::now();
  while (clock::now() - begun < std::chrono::milliseconds(1)) {
  }
  co_await coppice::checkpoint();
}

void cancel(task_group& tree, fan_out& one) {
  one.begun = ticks_now();
  tree.cancel();
  one.returned = ticks_now();
}

}  // namespace

task<> computations::compute() {
  if (kind_ == burden::busy) {
    co_await slice();
  } else {
    const std::size_t sum = co_await fib(size);
    require(sum == result, "fib is wrong");
  }
}

task<> computations::run() {
  while (!ending_.load(std::memory_order_relaxed)) {
    rounds_.fetch_add(1, std::memory_order_relaxed);
    co_await compute();
  }
}

// What it goes on with does not end before the leaves have gone.
task<std::size_t> computations::cancel_and_compute(task_group& tree, fan_out& one) {
  cancel(tree, one);
  co_return co_await fib(size + 4);
}

task<> computations::run_and_cancel(task_group& tree, fan_out& one) {
  if (kind_ == burden::busy) {
    co_await slice();
    cancel(tree, one);
    co_await run();
  } else {
    static_cast<void>(
        co_await coppice::gather(fib(size), cancel_and_compute(tree, one), fib(size)));
  }
}

}  // namespace bench::fanout_suite
