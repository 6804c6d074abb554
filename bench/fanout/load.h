// What keeps workers busy while a tree is cancelled.
#pragma once

#include <coppice/coppice.h>

#include <atomic>
#include <cstddef>

#include "bench/fanout/scene.h"

namespace bench::fanout_suite {

// A computation on each worker, round by round until the end; on one of them it is the canceller's.
class computations {
 public:
  explicit computations(burden kind) noexcept : kind_(kind) {}

  // On a worker of its own.
  task<> run();

  // Cancels in the midst of its own, and goes on with it.
  task<> run_and_cancel(task_group& tree, fan_out& one);

  std::size_t rounds() const noexcept { return rounds_.load(std::memory_order_relaxed); }
  void end() noexcept { ending_.store(true, std::memory_order_relaxed); }

 private:
  task<> compute();
  task<std::size_t> cancel_and_compute(task_group& tree, fan_out& one);

  const burden kind_;
  std::atomic<bool> ending_{false};
  std::atomic<std::size_t> rounds_{0};
};

}  // namespace bench::fanout_suite
