// Senders and receivers (P2300, std::execution) and tasks: the one awaited in the other, and a scheduler.
//
//   int sum = co_await coppice::from_sender(stdexec::when_all(a, b) | stdexec::then(add));
//   auto sender = coppice::to_sender(group.handle(), work);   // work() gives a task
//   auto scheduler = coppice::runtime_scheduler(runtime);
//
// Includes the C++26 library where the compiler has it, else the stdexec that is found on the include path, and neither
// comes with coppice. Nothing else of coppice includes this header.
#pragma once

#include <coppice/awaiter.h>
#include <coppice/detail/sender_operation.h>
#include <coppice/executor.h>
#include <coppice/runtime.h>
#include <coppice/scope.h>
#include <coppice/site.h>

#include <concepts>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

// Runs what is scheduled on it on a worker, outside every task and scope: what has to be supervised comes by to_sender(). The
// runtime must outlive what it was asked for. Equal if they are of one runtime. Costs no allocation.
class runtime_scheduler {
 public:
  using scheduler_concept = detail::senders::scheduler_t;

  explicit runtime_scheduler(const runtime& on) noexcept : on_(&on.beneath()) {}

  class sender;
  sender schedule() const noexcept;

  detail::senders::forward_progress_guarantee query(
      detail::senders::get_forward_progress_guarantee_t) const noexcept {
    return detail::senders::forward_progress_guarantee::parallel;
  }

  bool operator==(const runtime_scheduler&) const = default;

 private:
  explicit runtime_scheduler(executor& on) noexcept : on_(&on) {}

  executor* on_;
};

class runtime_scheduler::sender {
 public:
  using sender_concept = detail::senders::sender_t;
  using completion_signatures =
      detail::senders::completion_signatures<detail::senders::set_value_t(),
                                             detail::senders::set_stopped_t()>;

  // Where it completes.
  struct env {
    executor* on;
    template <class Signal, class... Rest>
    runtime_scheduler query(detail::senders::get_completion_scheduler_t<Signal>,
                            const Rest&...) const noexcept {
      return runtime_scheduler(*on);
    }
  };

  explicit sender(executor& on) noexcept : on_(&on) {}

  template <class Receiver>
  detail::arrival_operation<Receiver> connect(Receiver receiver) const {
    return {*on_, std::move(receiver)};
  }

  env get_env() const noexcept { return {on_}; }

 private:
  executor* on_;
};

inline runtime_scheduler::sender runtime_scheduler::schedule() const noexcept {
  return sender(*on_);
}

// Awaits the sender in a task, which goes on on a worker: with nothing, the value, or a tuple of several. An error is thrown:
// an exception_ptr's exception, std::system_error for an error_code, else the error itself. A stop of the task is requested by
// the receiver's stop token: set_stopped then stops the task, a value that is sent all the same is delivered. Unasked,
// set_stopped is thrown as operation_cancelled. A cancellation point: stopped before it begins, nothing is connected.
template <class Sender>
  requires detail::senders::sender_in<std::decay_t<Sender>, detail::asked_env>
auto from_sender(Sender&& sender, source_site site = source_site::current()) {
  return perform(detail::sender_operation<std::decay_t<Sender>>(std::forward<Sender>(sender)),
                 site);
}

// A sender that, once started, spawns work() into the scope, and completes when that task has ended, on a worker: with its
// value, its failure as an exception_ptr, or set_stopped if it was stopped, by the receiver's stop token or by the scope. A
// failure is the receiver's, and not the scope's. A scope that takes no more tasks: set_error with scope_closed.
template <class Body>
  requires std::invocable<std::decay_t<Body>&>
detail::task_sender<std::decay_t<Body>> to_sender(scope_handle scope, Body&& work,
                                                  source_site site = source_site::current()) {
  return {std::move(scope), std::forward<Body>(work), site};
}

}  // namespace coppice::inline v0
