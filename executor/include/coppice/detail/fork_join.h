// Fork-join: runs several tasks at once and goes on when all have ended. gather() stands on it.
//
// Nothing is allocated besides the frames, and no locked instruction runs unless something is stolen.
#pragma once

#include <coppice/detail/fork_base.h>
#include <coppice/task.h>

#include <array>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

// What a fork does about scopes: nothing. Its children stand under their parent's.
struct parent_scope {
  static constexpr bool opens = false;

  cancel_node* open(cancel_node* parent, epoch) noexcept { return parent; }
};

template <class Scope, class... T>
class [[nodiscard]] fork_join_operation : fork_base {
 public:
  explicit fork_join_operation(task<T>&&... children) noexcept
      : children_{&task_access::release(children)...} {}

  fork_join_operation(fork_join_operation&&) = delete;

  ~fork_join_operation() {
    if (unstarted()) {
      for (promise_base* const child : children_) {
        child->handle().destroy();
      }
    } else if constexpr ((result_slot<T>::tracked || ...)) {
      for_each_result([](auto& result) {
        if constexpr (std::remove_reference_t<decltype(result)>::tracked) {
          result.clear();
        }
      });
    }
  }

  bool await_ready() const noexcept { return sizeof...(T) == 0; }

  template <std::derived_from<promise_base> Promise>
  [[gnu::always_inline]] std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    promise_base& parent = awaiting.promise();
    const epoch now = here.now();
    if (!parent.scope()->clear_at(now)) [[unlikely]] {
      if (parent.scope()->cancelled_at(now)) {
        return here.stop_from_loop(parent);
      }
    }
    cancel_node* const scope = scope_.open(parent.scope(), now);
    prepare(scope, std::index_sequence_for<T...>());
    begin(parent, sizeof...(T) > 1 ? children_[1 % sizeof...(T)] : nullptr, sizeof...(T));
    if constexpr (Scope::opens) {
      here.scope = scope;
    }
    if constexpr (sizeof...(T) > 1) {
      offer(here);
    }
    if (--here.forks_until_look == 0 || !here.stack_left()) [[unlikely]] {
      return here.leave_fork(*children_[0]);
    }
    return children_[0]->handle();
  }

  [[gnu::always_inline]] std::tuple<typename gathered_value<T>::type...> await_resume() {
    if (troubled()) [[unlikely]] {
      throw_first_failure();
    }
    return take(std::index_sequence_for<T...>());
  }

 private:
  template <std::size_t... I>
  void prepare(cancel_node* scope, std::index_sequence<I...>) noexcept {
    (prepare_one<I>(scope, std::get<I>(results_)), ...);
  }

  template <std::size_t I, class U>
  void prepare_one(cancel_node* scope, result_slot<U>& result) noexcept {
    if constexpr (result_slot<U>::tracked) {
      result.reset();
    }
    children_[I]->continue_with(*this, false, scope, result.place_of_value());
    if constexpr (I != 0) {
      children_[I]->next = I + 1 < sizeof...(T) ? children_[(I + 1) % sizeof...(T)] : nullptr;
    }
  }


  template <class Function>
  void for_each_result(const Function& function) {
    std::apply([&](auto&... results) { (function(results), ...); }, results_);
  }

  template <std::size_t... I>
  auto take(std::index_sequence<I...>) {
    return std::tuple<typename gathered_value<T>::type...>(take_one(std::get<I>(results_))...);
  }

  template <class U>
  static typename gathered_value<U>::type take_one(result_slot<U>& result) {
    if constexpr (std::is_void_v<U>) {
      return {};
    } else {
      return result.take_value();
    }
  }

  std::array<promise_base*, sizeof...(T)> children_;
  std::tuple<result_slot<T>...> results_;
  [[no_unique_address]] Scope scope_;
};

// The form for n children: see fork_each_base. Results go to results[0] ... results[n - 1], or nowhere.
template <class Scope, class Fn, class Out>
class [[nodiscard]] fork_join_n_operation : fork_each_base {
  using child_task = std::invoke_result_t<Fn&, std::size_t>;
  using value = typename child_task::value_type;

 public:
  fork_join_n_operation(std::size_t n, Fn& fn, Out results)
      : fork_each_base(&fork_join_n_operation::start_child), fn_(fn), results_(results) {
    if (n > most_children) {
      throw std::length_error("a fork of more than 4 294 967 295 children");
    }
    count_ = static_cast<std::uint32_t>(n);
  }

  fork_join_n_operation(fork_join_n_operation&&) = delete;

  bool await_ready() const noexcept { return count_ == 0; }

  template <std::derived_from<promise_base> Promise>
  [[gnu::always_inline]] std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) noexcept {
    worker_core& here = *current_worker;
    promise_base& parent = awaiting.promise();
    const epoch now = here.now();
    if (!parent.scope()->clear_at(now)) [[unlikely]] {
      if (parent.scope()->cancelled_at(now)) {
        return here.stop_from_loop(parent);
      }
    }
    children_scope_ = scope_.open(parent.scope(), now);
    begin(parent, nullptr, count_);
    if constexpr (Scope::opens) {
      here.scope = children_scope_;
    }
    if (--here.forks_until_look == 0 || !here.stack_left()) [[unlikely]] {
      return here.leave_fork(*this);
    }
    return start_child(*this, here, 0, false);
  }

  void await_resume() {
    if (troubled()) [[unlikely]] {
      std::rethrow_exception(std::move(failure_));
    }
  }

 private:
  static constexpr std::size_t most_children = 0xffff'ffff;

  static std::coroutine_handle<> start_child(fork_each_base& self, worker_core& here,
                                             std::uint32_t chain, bool kept) noexcept {
    auto& fork = static_cast<fork_join_n_operation&>(self);
    const std::uint32_t i = fork.made_++;
    promise_base* child = nullptr;
    if (!fork.failed()) [[likely]] {
      child = fork.make(i, here);
    }
    if (child == nullptr) [[unlikely]] {  // It counts as ended, and those not yet made with it.
      const std::uint32_t given_up = fork.count_ - i;
      fork.made_ = fork.count_;
      if (kept) {
        here.forks.drop();
      }
      return fork.end_chain(here, chain + given_up);
    }
    child->chain = chain + 1;
    if (fork.made_ == fork.count_) {
      if (kept) {
        here.forks.drop();
      }
    } else if (!kept) {
      fork.offer(here);
      return child->handle();
    }
    if (here.forks.share()) [[unlikely]] {
      here.published();
    }
    return child->handle();
  }

  promise_base* make(std::uint32_t i, worker_core& here) noexcept {
    try {
      child_task made = fn_(std::size_t{i});
      promise<value>& child = task_access::release(made);
      child.continue_with(*this, true, children_scope_, place(i));
      return &child;
    } catch (...) {
      child_failed(std::current_exception(), here);
      return nullptr;
    }
  }

  void* place(std::uint32_t i) {
    if constexpr (std::is_void_v<value>) {
      return nullptr;
    } else {
      static_assert(std::is_same_v<decltype(results_[0]), value&>,
                    "coppice: the results go to objects of the type that the tasks give");
      static_assert(result_slot<value>::direct || std::is_move_assignable_v<value>,
                    "coppice: a result of this type cannot be assigned to the object that it goes to");
      return std::addressof(results_[static_cast<std::iter_difference_t<Out>>(i)]);
    }
  }

  Fn& fn_;
  Out results_;
  std::uint32_t count_;     // Constant.
  std::uint32_t made_ = 0;  // The holder: how many children have been made.
  [[no_unique_address]] Scope scope_;
};

// Runs fn(0) ... fn(n - 1), each giving a task made when its turn comes. The callable and the results must
// outlive the await. A failure: as fork_join; children not yet made are not made.
template <class Fn, std::random_access_iterator Out>
fork_join_n_operation<parent_scope, std::remove_reference_t<Fn>, Out> fork_join_n(std::size_t n, Fn&& fn,
                                                                                  Out results) {
  return {n, fn, results};
}

// The same without results.
template <class Fn>
fork_join_n_operation<parent_scope, std::remove_reference_t<Fn>, void*> fork_join_n(std::size_t n,
                                                                                    Fn&& fn) {
  return {n, fn, nullptr};
}

// Runs the tasks at once; gives their results in argument order. On a failure the first to arrive is thrown,
// when all have ended.
template <class... T>
fork_join_operation<parent_scope, T...> fork_join(task<T>&&... children) noexcept {
  return fork_join_operation<parent_scope, T...>(std::move(children)...);
}

}  // namespace coppice::inline v0::detail
