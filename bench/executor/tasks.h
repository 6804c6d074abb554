// Tasks that several rows use.
#pragma once

#include <coppice/detail/fork_join.h>
#include <coppice/executor.h>

#include <atomic>
#include <cstdint>

#include "bench/executor/row.h"
#include "bench/support/opaque.h"

namespace bench::executor_suite {

using coppice::executor;
using coppice::task;

// The smallest task that has a result.
inline task<std::uint64_t> echo(std::uint64_t number) {
  co_return number;
}

// A fork a call.
BENCH_OPAQUE inline task<std::uint64_t> fib(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await coppice::detail::fork_join(fib(n - 1), fib(n - 2));
  co_return x + y;
}

// Keeps every worker inside fork-join: as many computations as there are workers, each far longer than
// anything that is measured beside them, begun anew until the end.
class fork_join_load {
 public:
  explicit fork_join_load(executor& on) : on_(on) {
    for (unsigned i = 0; i != on.workers(); ++i) {
      on.spawn(forks(*this));
    }
  }
  fork_join_load(const fork_join_load&) = delete;
  fork_join_load& operator=(const fork_join_load&) = delete;
  ~fork_join_load() { stop(); }

  // Returns when no task is left.
  void stop() {
    stopping_.store(true, std::memory_order_relaxed);
    on_.wait_until_idle();
  }

  bool right() const noexcept { return right_.load(std::memory_order_relaxed); }

 private:
  static constexpr unsigned size = 27;
  static constexpr std::uint64_t result = 196'418;

  static task<void> forks(fork_join_load& load) {
    // A local, for g++ 12 never resumes a coroutine that awaits in a condition and has none.
    bool right = true;
    while (!load.stopping_.load(std::memory_order_relaxed)) {
      right = co_await fib(size) == result && right;
    }
    if (!right) {
      load.right_.store(false, std::memory_order_relaxed);
    }
  }

  executor& on_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> right_{true};
};

// An executor with so many workers, every one of which has run something.
class warm_executor : public executor {
 public:
  explicit warm_executor(unsigned workers) : executor(coppice::options{.threads = workers}) {
    require(block_on(fib(20)) == 6'765, "fib(20) is wrong");
  }
};

}  // namespace bench::executor_suite
