// From the handler of a signal to the task that waits for it.
//
// A wait is owned by one at a time: by start(), then, while it is asleep, by nobody, and then by whoever wakes it: a
// handler, which hands it on to its job, or the worker that is to stop the task. The task goes on only when its owner has
// ended the wait; so the wait, its receiver and its executor outlive every handler that has woken it.
//
// Orderings
//   SR1  Whoever puts the wait to sleep has done with it, who wakes it sees that.
//   SR2  A wait lets go of the receiver behind all that it did there, the next one acquires that.
#include <coppice/signals.h>

#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/executor.h>
#include <coppice/runtime.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace coppice::inline v0 {

namespace {

// Of a receiver's state, in place of two numbers that the C library keeps to itself.
constexpr std::uint64_t asleep = detail::signal_set::bit_of(32);
constexpr std::uint64_t withdrawn = detail::signal_set::bit_of(33);  // The task is to stop.
constexpr std::uint64_t numbers = ~(asleep | withdrawn);

int lowest(std::uint64_t all) noexcept {
  return std::countr_zero(all & numbers) + 1;
}

}  // namespace

signal_receiver::signal_receiver(std::initializer_list<int> signals) {
  const detail::signal_set wanted(signals, "signal_receiver");
  listen(wanted, {});
}

signal_receiver::~signal_receiver() {
  if (awaited_.load(std::memory_order_relaxed)) {
    std::fputs(
        "coppice: a signal_receiver is destroyed while a task waits for its next signal. Let it "
        "live longer than the tasks that use it.\n",
        stderr);
    std::abort();
  }
  const detail::signal_set unheard = leave();
  const std::uint64_t untaken = state_.load(std::memory_order_relaxed);
  unheard.for_each([untaken](int number) {
    if ((untaken & detail::signal_set::bit_of(number)) != 0) {
      std::raise(number);
    }
  });
}

// A signal that has come is no longer there.
std::optional<int> signal_receiver::try_next() noexcept {
  std::uint64_t all = state_.load(std::memory_order_relaxed);
  while ((all & numbers) != 0) {
    const int number = lowest(all);
    if (state_.compare_exchange_weak(all, all & ~detail::signal_set::bit_of(number),
                                     std::memory_order_relaxed)) {
      return number;
    }
  }
  return std::nullopt;
}

// In the handler.
void signal_receiver::come(int number) noexcept {
  std::uint64_t all = state_.load(std::memory_order_relaxed);
  while (!state_.compare_exchange_weak(all, (all & ~asleep) | detail::signal_set::bit_of(number),
                                       std::memory_order_acquire,  // SR1
                                       std::memory_order_relaxed)) {
  }
  if ((all & asleep) != 0) {
    wait_->home_->post(*wait_);
  }
}

shutdown_on_signals::shutdown_on_signals(runtime& of, std::initializer_list<int> signals)
    : of_(of) {
  const detail::signal_set wanted(signals, "shutdown_on_signals");
  listen(wanted, {.leave_ignored = true, .only_first = true});
}

shutdown_on_signals::~shutdown_on_signals() {
  static_cast<void>(leave());
}

void shutdown_on_signals::come(int /*number*/) noexcept {
  of_.request_shutdown();
}

namespace detail {

// Only now the next may begin, for cancel() may have come late.
signal_wait::~signal_wait() {
  if (home_ != nullptr) {
    of_.awaited_.store(false, std::memory_order_release);  // SR2
  }
}

void signal_wait::start(completion<int> done) {
  if (of_.awaited_.exchange(true, std::memory_order_acquire)) {  // SR2
    throw usage_error(
        "signal_receiver::next() while another task waits for it: give each task a receiver of "
        "its own, for each is told");
  }
  run = [](job& self, worker_core&) noexcept { static_cast<signal_wait&>(self).look(); };
  home_ = &executor_of(*this_worker());
  done_ = std::move(done);
  of_.wait_ = this;
  of_.state_.fetch_and(~withdrawn, std::memory_order_relaxed);
  look();
}

void signal_wait::cancel() noexcept {
  std::uint64_t all = of_.state_.load(std::memory_order_relaxed);
  while (!of_.state_.compare_exchange_weak(all,
                                           (all & asleep) != 0 ? all & ~asleep : all | withdrawn,
                                           std::memory_order_acquire,  // SR1
                                           std::memory_order_relaxed)) {
  }
  if ((all & asleep) != 0) {
    const completion<int> done = std::move(done_);
    done.stopped();
  }
}

// The owner. What has gone to sleep, or has ended, it does not touch any more.
void signal_wait::look() noexcept {
  for (;;) {
    std::uint64_t all = of_.state_.load(std::memory_order_relaxed);
    if ((all & withdrawn) != 0) {
      const completion<int> done = std::move(done_);
      done.stopped();
      return;
    }
    if (const std::optional<int> number = of_.try_next()) {
      const completion<int> done = std::move(done_);
      done.complete(*number);
      return;
    }
    if ((all & numbers) == 0 && of_.state_.compare_exchange_weak(all, all | asleep,
                                                                 std::memory_order_release,  // SR1
                                                                 std::memory_order_relaxed)) {
      return;
    }
  }
}

}  // namespace detail
}  // namespace coppice::inline v0
