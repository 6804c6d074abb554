// Fork-join: runs several tasks at once and goes on when all have ended. gather() stands on it.
//
// Nothing is allocated besides the frames, and no locked instruction runs unless something is stolen.
#pragma once

#include <coppice/detail/fork_base.h>
#include <coppice/task.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <new>
#include <tuple>
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
      rethrow_first();
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
    children_[I]->continue_with(*this, scope, result);
    if constexpr (I != 0) {
      children_[I]->next = I + 1 < sizeof...(T) ? children_[(I + 1) % sizeof...(T)] : nullptr;
    }
  }

  [[noreturn, gnu::noinline, gnu::cold]] void rethrow_first() {
    failure_slot* const first = take_failures();
    std::rethrow_exception(first->take_failure());
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

// Runs the tasks at once; gives their results in argument order. On a failure the first to arrive is thrown,
// when all have ended.
template <class... T>
fork_join_operation<parent_scope, T...> fork_join(task<T>&&... children) noexcept {
  return fork_join_operation<parent_scope, T...>(std::move(children)...);
}

}  // namespace coppice::inline v0::detail
