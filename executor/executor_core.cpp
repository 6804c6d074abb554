// Queueing jobs from any thread.
#include "executor/executor_core.h"

#include "executor/backtrace.h"

#include <thread>

namespace coppice::inline v0::detail {

executor_core::executor_core(const core_settings& from, time_source& clock_of_timers,
                             executor_state& owned_by, task_keeper& root_of_tasks)
    : owned_link(*this),
      link(owned_link.get()),
      id(link.id()),
      idle(from.workers),
      time(clock_of_timers),
      settings(from),
      owner(owned_by),
      root(root_of_tasks),
      blocking(from.blocking_threads, from.idle_blocking_threads) {
  for (std::size_t i = 0; i != from.workers; ++i) {
    workers.push_back(std::make_unique<worker>(*this, i));
  }
  if (time.is_virtual()) {
    still = std::make_unique<standstill>(*this, from.autojump, from.patience);
  }
  if (settings.debug) {
    canceller_wanted.fetch_add(1, std::memory_order_relaxed);
  }
}

executor_core::~executor_core() {
  retire();
  if (settings.debug) {
    canceller_wanted.fetch_sub(1, std::memory_order_relaxed);
  }
}

void executor_core::retire() noexcept {
  owned_link.close();
}

void executor_core::post(job& ready) noexcept {
  if (settings.ordered()) [[unlikely]] {
    worker_core* const here = this_worker();
    if (here != nullptr && &here->home == this) {
      here->post(ready);
      return;
    }
  }
  push_wakes(ready, ready);
}

void executor_core::post_from_outside(job& ready) noexcept {
  push_wakes(ready, ready);
}

// Whoever takes wakes finds the newest first.
void executor_core::post_all(job& first) noexcept {
  job* newest = nullptr;
  for (job* each = &first; each != nullptr;) {
    job* const later = each->next;
    each->next = newest;
    newest = each;
    each = later;
  }
  push_wakes(*newest, first);
}

// Each is the `next` of the one that came after it.
void executor_core::push_wakes(job& newest, job& oldest) noexcept {
  posters_.fetch_add(1, std::memory_order_relaxed);
  oldest.next = wakes_.load(std::memory_order_relaxed);
  while (!wakes_.compare_exchange_weak(oldest.next, &newest, std::memory_order_seq_cst,  // X1 P1
                                       std::memory_order_relaxed)) {
  }
  wake_if_wanted();
  posters_.fetch_sub(1, std::memory_order_release);  // X4
}

void executor_core::wait_for_posters() const noexcept {
  while (posters_.load(std::memory_order_acquire) != 0) {  // X4
    std::this_thread::yield();
  }
}

void executor_core::submit(job& fresh) noexcept {
  if (settings.ordered()) [[unlikely]] {
    post(fresh);  // All that comes from outside comes in one line.
    return;
  }
  if (!submitted_.push(fresh)) {
    post(fresh);
    return;
  }
  submitted_count_.fetch_add(1, std::memory_order_seq_cst);  // X2 P1
  wake_if_wanted();
}

job* executor_core::take_submitted() noexcept {
  if (submitted_count_.load(std::memory_order_relaxed) <= 0) {
    return nullptr;
  }
  job* const found = submitted_.try_pop();
  if (found != nullptr) {
    submitted_count_.fetch_sub(1, std::memory_order_seq_cst);  // X2
  }
  return found;
}

void executor_core::stop() noexcept {
  stopping_.store(true, std::memory_order_seq_cst);  // X3 P1
  idle.wake_all();
}

}  // namespace coppice::inline v0::detail
