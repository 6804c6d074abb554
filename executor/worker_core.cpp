// What code inlined into coroutines asks of its worker, where it need not be inline.
#include "executor/executor_core.h"
#include "executor/slots.h"
#include "executor/worker.h"

#include <coppice/detail/fork_base.h>
#include <coppice/detail/suspension.h>

#include <utility>

namespace coppice::inline v0::detail {

void worker_core::post(job& ready) noexcept {
  static_cast<worker&>(*this).add_ready(ready);
}

void worker_core::push(job& fresh) noexcept {
  if (static_cast<worker&>(*this).bag_ != nullptr) [[unlikely]] {
    post(fresh);
    return;
  }
  switch (forks.try_push(&fresh)) {
    case push_result::kept:
      break;
    case push_result::published:
      published();
      break;
    case push_result::full:
      post(fresh);
      break;
  }
}

// What was up next before gives way: it has waited longer, but others may take it now.
void worker_core::post_next(job& ready) noexcept {
  auto& here = static_cast<worker&>(*this);
  if (here.bag_ != nullptr) [[unlikely]] {
    post(ready);
    return;
  }
  if (job* const displaced = here.next_up_.exchange(&ready, std::memory_order_acq_rel)) {  // W1
    here.add_ready(*displaced);
  }
}

// Where a seed decides, no child may just follow the one before it.
void worker_core::published() noexcept {
  auto& here = static_cast<worker&>(*this);
  if (here.bag_ != nullptr && here.bag_->shuffles()) [[unlikely]] {
    here.bag_forks();
  }
  home.wake_if_wanted();
}

// A fork-join computation goes from leaf to leaf and does not come back to the loop; so it looks around
// here, and goes back if others have waited long enough.
std::coroutine_handle<> worker_core::leave_fork(promise_base& first) noexcept {
  auto& here = static_cast<worker&>(*this);
  if (here.bag_ != nullptr) [[unlikely]] {
    // The rest of the fork has just been queued, and goes behind its first child.
    forks_until_look = 1;
    job* const rest = here.bag_->shuffles() ? nullptr : forks.pop();
    here.bag_forks();
    post(first.as_job());
    if (rest != nullptr) {
      post(*rest);
    }
    return std::noop_coroutine();
  }
  if (forks_until_look == 0 && here.others_wait()) {
    push(first.as_job());
    return std::noop_coroutine();
  }
  return stack_left() ? first.handle() : resume_from_loop(first.handle());
}

// The fork itself is the job that starts its first child; the loop then comes back to it, after the others.
std::coroutine_handle<> worker_core::leave_fork(fork_each_base& fork) noexcept {
  auto& here = static_cast<worker&>(*this);
  if (forks_until_look == 0) {
    here.others_wait();
  }
  push(fork);
  return std::noop_coroutine();
}

slot& worker_core::take_slot() {
  if (free_slots_ == nullptr) {
    free_slots_ = slot_reserve::take();
  }
  slot& taken = *free_slots_;
  free_slots_ = taken.next_free();
  return taken;
}

slot_chunk& worker_core::take_chunk(slot_chunk::kind size) {
  chunk_list& kept = free_chunks_[static_cast<std::size_t>(size)];
  if (kept.first == nullptr) {
    return chunk_reserve::take(size);
  }
  slot_chunk& taken = *kept.first;
  kept.first = taken.next_free();
  --kept.count;
  return taken;
}

void worker_core::give_chunk(slot_chunk& empty) noexcept {
  chunk_list& kept = free_chunks_[static_cast<std::size_t>(empty.size())];
  if (kept.count == kept_chunks) {
    chunk_reserve::give_back(empty);
    return;
  }
  empty.next_free(kept.first);
  kept.first = &empty;
  ++kept.count;
}

std::coroutine_handle<> worker_core::go_on(promise_base& task) noexcept {
  if (--ready_awaits_left != 0) [[likely]] {
    return task.handle();
  }
  auto& here = static_cast<worker&>(*this);
  here.count_forced_yield();
  here.give_way_to_wakes();
  post(task.as_job());
  return std::noop_coroutine();
}

std::coroutine_handle<> worker_core::yield(promise_base& task) noexcept {
  if (task.scope()->cancelled_at(now())) {
    return stop_from_loop(task);
  }
  static_cast<worker&>(*this).give_way_to_wakes();
  post(task.as_yielded_job());
  return std::noop_coroutine();
}

bool worker_core::cancelled_anew(cancel_node& under) noexcept {
  if (under.cancelled_at(now())) {
    return true;
  }
  home.bump_epoch();
  return under.cancelled_at(now());
}

bool worker_core::take_from_others() noexcept {
  job* const found = static_cast<worker&>(*this).steal_job(true);
  if (found != nullptr) {
    post_next(*found);
  }
  return found != nullptr;
}

void worker_core::look_at_time() noexcept {
  static_cast<worker&>(*this).pass_deadlines();
}

void worker_core::add_timer(time_point due, const ticket& wait) {
  static_cast<worker&>(*this).add_timer(due, wait);
}

time_point worker_core::time_now() const noexcept {
  return home.time.now();
}

executor_ref worker_core::executor() const noexcept {
  return home.ref();
}

void worker_core::mark_tokens() noexcept {
  home.mark_tokens();
}

void worker_core::settle() noexcept {
  for (;;) {
    if (const std::coroutine_handle<> resumed = std::exchange(next, nullptr)) {
      resumed.resume();
    } else if (promise_base* const stopped = std::exchange(stopping, nullptr)) {
      promise_base::unwind(*stopped, *this).resume();
    } else {
      return;
    }
  }
}

std::coroutine_handle<> nothing_next() noexcept {
  return std::noop_coroutine();
}

void suspension::resume() noexcept {
  worker_core* const here = this_worker();
  if (here != nullptr && &here->home == home_) {
    here->post_next(resumption());
  } else {
    home_->post(resumption());
  }
}

void promise_base::resume_yielded(job& self, worker_core& here) noexcept {
  auto& task = static_cast<promise_base&>(self);
  if (task.scope_->cancelled_at(here.now())) {
    here.stopping = &task;
  } else {
    resume(self, here);
  }
}

std::coroutine_handle<> promise_base::unwind(promise_base& innermost, worker_core& here) noexcept {
  return unwind(innermost, here, nullptr);
}

std::coroutine_handle<> promise_base::unwind_below_task(promise_base& innermost,
                                                        worker_core& here) noexcept {
  return unwind(innermost, here, innermost.scope_);
}

// Iterative: however deep the chain of awaits, the stack stays flat.
std::coroutine_handle<> promise_base::unwind(promise_base& innermost, worker_core& here,
                                             cancel_node* waits_at) noexcept {
  promise_base* ended = &innermost;
  here.scope = ended->scope_;  // For the destructors.
  for (;;) {
    const continuation after = ended->continuation_;
    if (hooked(after)) [[unlikely]] {
      if (waits_at != nullptr) {
        waits_at->describe(nullptr);
      }
      ended->continuation_ = with_stop(after);
      return end_body(*ended, here);
    }
    void* const target = ended->target_;
    const std::uint32_t chain = ended->chain;
    ended->handle().destroy();
    if (after == continuation::task) {
      auto& cell = *static_cast<receiver*>(target);
      return here.ledger.put_off(cell) ? nothing_next() : cell.stopped(here);
    }
    if (after != continuation::caller) {
      if (waits_at != nullptr) {
        waits_at->describe(nullptr);
      }
      return stop_target(after, target, chain, here);
    }
    ended = static_cast<promise_base*>(target);
  }
}

std::coroutine_handle<> promise_base::end_body(promise_base& ended, worker_core& here) noexcept {
  here.scope = ended.scope_;
  const bool stopped = with_stop(ended.continuation_) == ended.continuation_;
  return ended.hook()->body_ended(stopped, here);
}

std::coroutine_handle<> promise_base::stop_target(continuation after, void* target,
                                                  std::uint32_t chain, worker_core& here) noexcept {
  switch (kind_of(after)) {
    case continuation::fork:
    case continuation::fork_each:
      return static_cast<fork_base*>(target)->child_stopped(here, chain);
    case continuation::receiver:
    case continuation::task:
      return static_cast<receiver*>(target)->stopped(here);
    default:
      return here.stop_from_loop(*static_cast<promise_base*>(target));
  }
}

}  // namespace coppice::inline v0::detail
