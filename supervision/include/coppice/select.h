// Exactly one of several waits.
//
// Orderings
//   SE1  What is performed has ended, then it is counted off; who counts the last one off sees the end of all.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/joining.h>
#include <coppice/detail/selecting.h>
#include <coppice/gather.h>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace coppice::inline v0 {

namespace detail {

template <class... Branch>
class [[nodiscard]] select_operation : public own_awaitable, suspension, job {
 public:
  using value_type = std::variant<typename gathered_value<typename Branch::value_type>::type...>;

  template <class... Op>
  explicit select_operation(std::in_place_t, Op&&... operations)
      : branches_(branch_of(std::forward<Op>(operations), &select_operation::part_ended<Op>)...) {}

  // Before the await.
  select_operation(select_operation&& other) noexcept : branches_(std::move(other.branches_)) {}

  ~select_operation() { end(); }

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    promise_base& task = awaiting.promise();
    const epoch seen = here.now();
    if (task.scope()->cancelled_at(seen)) [[unlikely]] {
      return here.stop_from_loop(task);
    }
    if (take_ready(here)) {
      return here.go_on(task);
    }
    begin_waiting(task, here);
    slot& mine = task.scope()->enroll(here, here.label_of_wait("select"));
    at = &mine;
    const ticket wait{&mine, mine.arm(*this)};
    if (!enlist_all(wait, here)) {
      return task.handle();
    }
    start_performing(wait, here);
    switch (publish(here, mine, wait.generation, seen)) {
      case end_of_suspending::asleep:
        return std::noop_coroutine();
      case end_of_suspending::over:
        return settle(here) ? task.handle() : std::noop_coroutine();
      case end_of_suspending::stopped:
        break;
    }
    return performs ? stop(*this, here) : here.stop_from_loop(task);
  }

  value_type await_resume() {
    leave_all();
    withdraw();
    if (winner_ == nobody && !find_winner()) {
      if (failure_ != nullptr) {
        std::rethrow_exception(std::move(failure_));
      }
      winner_ = earliest();
    }
    report_losers();
    return result_of<0>();
  }

 private:
  static constexpr std::size_t nobody = sizeof...(Branch);
  static constexpr bool performs = (Branch::is_performed || ...);

  template <class Visit>
  void for_each(Visit visit) {
    std::apply([&](Branch&... each) { (visit(each), ...); }, branches_);
  }

  // From the left, until one is: then it is the winner.
  bool take_ready(worker_core& here) {
    std::size_t i = 0;
    const auto try_next = [&](auto& branch) {
      if (branch.ready(here)) {
        winner_ = i;
        return true;
      }
      ++i;
      return false;
    };
    return std::apply([&](Branch&... each) { return (try_next(each) || ...); }, branches_);
  }

  void begin_waiting(promise_base& task, worker_core& here) noexcept {
    task_ = &task;
    run = &select_operation::wait_is_over;
    job& to_run = performs ? static_cast<job&>(*this) : static_cast<job&>(task.as_job());
    suspension::begin(to_run, task.scope(), here.home, &select_operation::stop);
  }

  // All stand in their lines, or one has been served already. False: it need not wait.
  bool enlist_all(const ticket& wait, worker_core& here) {
    const auto enlist = [&](auto& branch) {
      if constexpr (std::remove_reference_t<decltype(branch)>::is_performed) {
        return true;
      } else {
        return branch.enlist(wait, here);
      }
    };
    try {
      while (!std::apply([&](Branch&... each) { return (enlist(each) && ...); }, branches_)) {
        leave_all();
        if (find_winner() || take_ready(here)) {
          return false;
        }
      }
    } catch (...) {
      leave_all();
      if (find_winner()) {
        return false;  // That one has been served, and is delivered.
      }
      withdraw();
      throw;
    }
    return true;
  }

  // Not if one has been served already. To be without memory is how the wait ends, too.
  void start_performing(const ticket& wait, worker_core& here) noexcept {
    if constexpr (performs) {
      for_each([&](auto& branch) {
        if constexpr (std::remove_reference_t<decltype(branch)>::is_performed) {
          if (wait.open()) {
            try {
              branch.owner = this;
              branch.start(wait, task_->scope(), here);
            } catch (...) {
              if (wait.claim() != claim_result::lost) {
                failure_ = std::current_exception();
              }
            }
          }
        }
      });
      if (here.wait_label != nullptr) {
        task_->scope()->describe(here.label_of_wait(nullptr));  // A start has described it.
      }
    }
  }

  // The wait is over, and the caller has the slot: what is performed has to end. False: the last to end goes on.
  bool settle(worker_core& here) noexcept {
    if constexpr (performs) {
      settling_ = true;
      awaited_.store(1, std::memory_order_relaxed);
      for_each([&](auto& branch) {
        if constexpr (std::remove_reference_t<decltype(branch)>::is_performed) {
          if (branch.begun() && !branch.state().has_ended()) {
            awaited_.fetch_add(1, std::memory_order_relaxed);
            if (branch.withdraw(here)) {
              awaited_.fetch_sub(1, std::memory_order_relaxed);
            }
          }
        }
      });
      return awaited_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // SE1
    } else {
      return true;
    }
  }

  // Jobs, by which it goes on if something is performed.
  static void wait_is_over(job& self, worker_core& here) noexcept {
    auto& mine = static_cast<select_operation&>(self);
    if (mine.settling_ || mine.settle(here)) {
      mine.go_on(here);
    }
  }
  template <class Op>
  static void part_ended(performed_part& part, worker_core& here) noexcept {
    if constexpr (branch_t<Op>::is_performed) {
      auto& mine = *static_cast<select_operation*>(static_cast<branch_t<Op>&>(part).owner);
      if (mine.settling_ ? mine.awaited_.fetch_sub(1, std::memory_order_acq_rel) == 1  // SE1
                         : mine.settle(here)) {
        mine.go_on(here);
      }
    }
  }

  void go_on(worker_core& here) noexcept {
    here.scope = task_->scope();
    if (stopping_) {
      leave_all();
    }
    if (stopping_ && !find_winner()) {
      here.stopping = task_;
    } else {
      task_->handle().resume();
    }
  }

  static std::coroutine_handle<> stop(suspension& self, worker_core& here) noexcept {
    auto& mine = static_cast<select_operation&>(self);
    if constexpr (performs) {
      mine.stopping_ = true;
      if (mine.settle(here)) {
        here.post(mine);
      }
      return std::noop_coroutine();
    } else {
      return promise_base::unwind(*mine.task_, here);
    }
  }

  // Of those that have left: who was served. What has been performed comes second: it may have ended behind another.
  bool find_winner() noexcept {
    for (const bool performed : {false, true}) {
      std::size_t i = 0;
      for_each([&](auto& branch) {
        if (winner_ == nobody && branch.is_performed == performed && branch.served()) {
          winner_ = i;
        }
        ++i;
      });
    }
    return winner_ != nobody;
  }

  // When nobody was served a timer has fired, and of several no later one before.
  std::size_t earliest() noexcept {
    std::size_t i = 0;
    std::size_t found = nobody;
    time_point due = time_point::max();
    for_each([&](auto& branch) {
      if (branch.due() < due) {
        due = branch.due();
        found = i;
      }
      ++i;
    });
    return found;
  }

  void report_losers() noexcept {
    if constexpr (performs) {
      std::size_t i = 0;
      for_each([&](auto& branch) {
        if constexpr (std::remove_reference_t<decltype(branch)>::is_performed) {
          if (i != winner_ && branch.served()) {
            try {
              static_cast<void>(branch.result());
            } catch (...) {
              report_of_a_loser(std::current_exception());
            }
          }
        }
        ++i;
      });
    }
  }

  template <std::size_t I>
  value_type result_of() {
    if constexpr (I + 1 != nobody) {
      if (winner_ != I) {
        return result_of<I + 1>();
      }
    }
    auto& branch = std::get<I>(branches_);
    if constexpr (std::is_void_v<decltype(branch.result())>) {
      branch.result();
      return value_type(std::in_place_index<I>);
    } else {
      return value_type(std::in_place_index<I>, branch.result());
    }
  }

  void leave_all() noexcept {
    for_each([](auto& branch) { branch.leave(); });
  }

  void withdraw() noexcept {
    if (at != nullptr) {
      task_->scope()->withdraw(*std::exchange(at, nullptr), *this_worker());
    }
  }

  void end() noexcept {
    if (at != nullptr) {
      leave_all();
      withdraw();
    }
  }

  std::tuple<Branch...> branches_;
  promise_base* task_ = nullptr;  // The suspender.
  std::size_t winner_ = nobody;
  std::exception_ptr failure_;  // Of a start.
  atomic<std::size_t> awaited_{
      0};                  // Of what is performed, those that are to end; and who asks them to.
  bool settling_ = false;  // Who ends the wait.
  bool stopping_ = false;  // Likewise.
};

}  // namespace detail

// A wait that can be withdrawn without effect: the operations of channel, broadcast, event, semaphore, mutex, latch, and
// of time; perform() as well. (Of another operation that is no single wait, a scope or gather, select() throws
// usage_error: use race.)
template <class A>
concept selectable =
    std::is_rvalue_reference_v<A&&> &&
    std::derived_from<std::remove_cvref_t<A>, detail::own_awaitable> &&
    !detail::is_handle<std::remove_cvref_t<A>> && !detail::is_task<std::remove_cvref_t<A>>;

// Starts no task. The first that is ready takes effect, the others not at all (several at once: the leftmost): no item,
// permit or lock is lost. The variant's index() says which.   auto r = co_await select(ch.receive(), sleep_for(1s));
// A cancellation point; allocates for each timer, and throws std::bad_alloc.
//
// What is performed is started when nothing else is ready. If it is to lose, it is asked to end and waited for, and what
// it gives all the same is the result, unless another has taken effect: then its value is dropped, its failure reported
// as suppressed.
template <selectable... Op>
  requires(sizeof...(Op) > 0)
detail::select_operation<detail::branch_t<Op>...> select(Op&&... operations) {
  return detail::select_operation<detail::branch_t<Op>...>(std::in_place, std::move(operations)...);
}

}  // namespace coppice::inline v0
