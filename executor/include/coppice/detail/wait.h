// How a task waits: the protocol that every cancellable await of one event goes through.
//
// A source is what is waited for:
//   using value_type = ...;
//   bool ready();                              takes effect now if it can; then result() is what it gave
//   void arm(const ticket&, worker_core&);     begins to wait; whoever ends the wait claims the ticket. May
//                                              throw, and has then not begun
//   void disarm() noexcept;                    the wait is over, whoever ended it: nothing may point to the
//                                              source any more
//   value_type result();                       behind ready() or the end of the wait
//   bool gives_way();                          optional: what is waited for has come, but is no result that a
//                                              waiter asked to stop must be given
//   static constexpr const char* name          what a dump says
//
// A stop is looked for on entry, before the operation has any effect, and while it is suspended; an
// operation that has completed delivers its result.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>

#include <coroutine>
#include <utility>

namespace coppice::inline v0::detail {

template <class Source>
class [[nodiscard]] wait_operation : public own_awaitable, suspension {
 public:
  using value_type = typename Source::value_type;

  explicit wait_operation(Source source) : source_(std::move(source)) {}

  // Nothing points to it before the await.
  wait_operation(wait_operation&& other) noexcept : source_(std::move(other.source_)) {}

  ~wait_operation() { end(); }

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    promise_base& task = awaiting.promise();
    epoch seen = here.now();
    if (task.scope()->cancelled_at(seen)) [[unlikely]] {
      return here.stop_from_loop(task);
    }
    if (source_.ready()) {
      return stops_instead(task, here) ? here.stop_from_loop(task) : here.go_on(task);
    }
    begin(task.as_job(), task.scope(), here.home, &wait_operation::unwind);
    slot& mine = task.scope()->enroll(here, here.label_of_wait(Source::name));
    at = &mine;
    below_task_ = task.scope()->is_task();
    const std::uint64_t generation = mine.arm(*this, task.scope()->decides_directly() != nullptr);
    try {
      source_.arm(ticket{&mine, generation}, here);
    } catch (...) {
      withdraw();
      throw;
    }
    switch (publish(here, mine, generation, seen)) {
      case end_of_suspending::asleep:
        return std::noop_coroutine();
      case end_of_suspending::over:
        return stops_instead(task, here) ? here.stop_from_loop(task) : task.handle();
      case end_of_suspending::stopped:
        break;
    }
    return here.stop_from_loop(task);
  }

  value_type await_resume() {
    end();
    return source_.result();
  }

  // What is waited for, for operations that are made of this one.
  Source& waited_for() noexcept { return source_; }

 private:
  static std::coroutine_handle<> unwind(suspension& self, worker_core& here) noexcept {
    auto& mine = static_cast<wait_operation&>(self);
    promise_base& task = mine.task();
    if (!mine.below_task_) {
      return promise_base::unwind(task, here);
    }
    mine.stopped_ = true;
    return promise_base::unwind_below_task(task, here);
  }

  // The suspender.
  promise_base& task() const noexcept { return static_cast<promise_base&>(resumption()); }

  // A request may have come between the look on entry and the end of what is waited for, and have caused it.
  bool stops_instead(promise_base& task, worker_core& here) noexcept {
    if constexpr (requires { source_.gives_way(); }) {
      return source_.gives_way() && here.cancelled_anew(*task.scope());
    } else {
      return false;
    }
  }

  void end() noexcept {
    if (at != nullptr) {
      source_.disarm();
      withdraw();
    }
  }

  // Of one that is stopped the task's node need not know, as the task mostly ends: a walk leaves it alone.
  void withdraw() noexcept {
    slot& mine = *std::exchange(at, nullptr);
    if (stopped_) {
      mine.rest();
    } else {
      task().scope()->withdraw(mine, *this_worker());
    }
  }

  Source source_;
  bool below_task_ = false;  // Nothing stands between it and its task's node.
  bool stopped_ = false;     // Then by unwind().
};

}  // namespace coppice::inline v0::detail
