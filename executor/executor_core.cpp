// The inbox of an executor.
#include "executor/executor_core.h"

namespace coppice::inline v0::detail {

executor_core::executor_core(const core_settings& from, time_source& clock_of_timers,
                             executor_state& owned_by, task_keeper& root_of_tasks)
    : idle(from.workers),
      time(clock_of_timers),
      settings(from),
      owner(owned_by),
      root(root_of_tasks) {
  for (std::size_t i = 0; i != from.workers; ++i) {
    workers.push_back(std::make_unique<worker>(*this, i));
  }
}

executor_core::~executor_core() = default;

void executor_core::post(job& ready) noexcept {
  ready.next = wakes_.load(std::memory_order_relaxed);
  while (!wakes_.compare_exchange_weak(ready.next, &ready, std::memory_order_seq_cst,  // X1 P1
                                       std::memory_order_relaxed)) {
  }
  wake_if_wanted();
}

void executor_core::submit(job& fresh) noexcept {
  try {
    submitted_.push(&fresh);
  } catch (const std::bad_alloc&) {
    post(fresh);
    return;
  }
  submitted_count_.fetch_add(1, std::memory_order_seq_cst);  // X2 P1
  wake_if_wanted();
}

job* executor_core::take_submitted() noexcept {
  job* found = nullptr;
  if (submitted_count_.load(std::memory_order_relaxed) > 0 && submitted_.try_pop(found)) {
    submitted_count_.fetch_sub(1, std::memory_order_seq_cst);  // X2
  }
  return found;
}

bool executor_core::blocked(worker& here) noexcept {
  std::optional<time_point> earliest;
  for (const auto& each : workers) {
    const std::optional<time_point> due = each->earliest_open_timer();
    if (due && (!earliest || *due < *earliest)) {
      earliest = due;
    }
  }
  if (!earliest) {
    return false;
  }
  time.advance_to(*earliest);
  bool any = false;
  for (const auto& each : workers) {
    any = each->fire_timers(here, *earliest) || any;
  }
  return any;
}

void executor_core::stop() noexcept {
  stopping_.store(true, std::memory_order_seq_cst);  // X3 P1
  idle.wake_all();
}

}  // namespace coppice::inline v0::detail
