// When has the last leaf gone, while every worker is in the midst of a fork-join computation?
#include <atomic>
#include <cstdint>

#include "bench/supervision/crowd.h"
#include "bench/support/opaque.h"

namespace bench::supervision_suite {
namespace {

constexpr unsigned size = 24;
constexpr std::uint64_t result = 46'368;

BENCH_OPAQUE task<std::uint64_t> fib(unsigned n) {
  if (n < 2) {
    co_return n;
  }
  const auto [x, y] = co_await coppice::gather(fib(n - 1), fib(n - 2));
  co_return x + y;
}

// A computation a worker, begun anew until the end; the others' beside that which cancels.
class load {
 public:
  task<> run() {
    bool right = true;
    while (!ending_.load(std::memory_order_relaxed)) {
      running_.fetch_add(1, std::memory_order_relaxed);
      right = co_await fib(size) == result && right;
    }
    require(right, "fib is wrong");
  }
  std::uint64_t rounds() const noexcept { return running_.load(std::memory_order_relaxed); }
  void end() noexcept { ending_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<bool> ending_{false};
  std::atomic<std::uint64_t> running_{0};
};

// Cancels, and goes on with a computation that does not end before the leaves have.
task<std::uint64_t> cancel_and_compute(task_group& leaves, event& one) {
  one.begun = ticks_now();
  leaves.cancel();
  one.returned = ticks_now();
  co_return co_await fib(size + 4);
}

task<> cancel_while_loaded(task_group& leaves, event& one) {
  static_cast<void>(
      co_await coppice::gather(fib(size), cancel_and_compute(leaves, one), fib(size)));
}

task<event> measure_one(crowd& all, unsigned workers) {
  event one;
  load busy;
  const auto outer = [&](task_group& computing) -> task<> {
    const auto body = [&](task_group& leaves) -> task<> {
      for (std::size_t i = 0; i != all.size(); ++i) {
        leaves.spawn(sleeper(all, i));
      }
      co_await until_asleep(all);
      for (unsigned i = 1; i != workers; ++i) {
        computing.spawn(busy.run());
      }
      while (busy.rounds() < 2 * (workers - 1)) {
        co_await coppice::yield();
      }
      computing.spawn(cancel_while_loaded(leaves, one));
      co_await coppice::sleep_for(std::chrono::hours(1));
    };
    co_await coppice::with_group(body);
    busy.end();
  };
  co_await coppice::with_group(outer);
  one.joined = ticks_now();
  co_return one;
}

numbers loaded(const setting& at) {
  runtime on(options_for(at, others::search));
  crowd all(1'000);
  const std::size_t times = at.scaled(200);
  events seen(times);
  for (std::size_t i = 0; i != times; ++i) {
    all.begin_again();
    const event one = on.block_on(measure_one(all, at.workers));
    seen.add(one, all);
  }
  return seen.observed();
}

constexpr row rows[] = {
    {"fan_out/all_in_fork_join/1000", 1, &loaded},
    {"fan_out/all_in_fork_join/1000", 2, &loaded},
};

}  // namespace

std::span<const row> loaded_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
