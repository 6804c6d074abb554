// The ways a fork ends that are not the common one: stolen, failed, stopped.
#include <coppice/detail/fork_base.h>

namespace coppice::inline v0::detail {

void fork_base::start_stolen(job& self, worker_core& here) noexcept {
  auto& fork = static_cast<fork_base&>(self);
  promise_base& child = *fork.upcoming_;
  here.scope = child.scope();
  fork.start_next(here, 1).resume();
}

std::coroutine_handle<> fork_base::arrive(worker_core& here, std::uint32_t chain) noexcept {
  const std::uint64_t before = word_.fetch_sub(chain, std::memory_order_acq_rel);  // J1
  if ((before & pending_mask) != chain) {
    return std::noop_coroutine();
  }
  return finish(here, before);
}

void fork_base::child_failed(failure_slot& failure) noexcept {
  failure_slot* newest = failures_.load(std::memory_order_relaxed);
  do {
    failure.earlier(newest);
  } while (!failures_.compare_exchange_weak(newest, &failure, std::memory_order_relaxed));
  word_.fetch_or(failed_bit, std::memory_order_relaxed);
}

std::coroutine_handle<> fork_base::child_stopped(worker_core& here, std::uint32_t chain) noexcept {
  word_.fetch_or(stopped_bit, std::memory_order_relaxed);
  return arrive(here, chain);
}

// A failure is delivered, a stop goes on: the parent has no value to go on with.
std::coroutine_handle<> fork_base::finish_stopped(worker_core& here, std::uint64_t word) noexcept {
  if ((word & failed_bit) != 0) {
    here.scope = parent_->scope();
    return parent_->handle();
  }
  return here.stop_from_loop(*parent_);
}

failure_slot* fork_base::take_failures() noexcept {
  failure_slot* newest = failures_.exchange(nullptr, std::memory_order_relaxed);
  failure_slot* oldest = nullptr;
  while (newest != nullptr) {
    failure_slot* const earlier = newest->earlier();
    newest->earlier(oldest);
    oldest = newest;
    newest = earlier;
  }
  return oldest;
}

}  // namespace coppice::inline v0::detail
