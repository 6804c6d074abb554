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

// A fork that is no scope: its children stand under their parent's. They must not wait if that is a strand.
class parent_scope {
 public:
  static constexpr bool opens = false;

  cancel_node* open(cancel_node* parent, epoch) noexcept { return parent; }
  void close() noexcept {}
};

// A fork that is one: a failure of one child stops the others.
class own_scope {
 public:
  static constexpr bool opens = true;

  own_scope() noexcept {}
  own_scope(const own_scope&) = delete;
  own_scope& operator=(const own_scope&) = delete;
  ~own_scope() {}

  cancel_node* open(cancel_node* parent, epoch now) noexcept {
    return ::new (static_cast<void*>(&node_)) fork_node(parent, now);
  }

  // All children have ended.
  void close() noexcept {
    if (node_.used()) [[unlikely]] {
      node_.close(this_worker());
    }
  }

 private:
  union {
    fork_node node_;  // From open() on.
  };
};

// What the forms below give, until it is awaited: the operation is made in its place then. Compilers keep what is
// awaited beside the operation; so it is small.
template <class Scope, class... T>
class fork_join_operation;

template <class Scope, class... T>
class [[nodiscard]] fork_join_call : public own_awaitable {
 public:
  explicit fork_join_call(const std::array<promise_base*, sizeof...(T)>& unstarted) noexcept
      : children(unstarted) {}
  fork_join_call(fork_join_call&& other) noexcept : children(other.children) {
    if constexpr (sizeof...(T) != 0) {
      other.children[0] = nullptr;
    }
  }

  std::array<promise_base*, sizeof...(T)> children;  // The first is null once they are started.

  ~fork_join_call() {
    if constexpr (sizeof...(T) != 0) {
      if (children[0] != nullptr) {
        for (promise_base* const child : children) {
          child->handle().destroy();
        }
      }
    }
  }

  fork_join_operation<Scope, T...> operator co_await() && noexcept {
    return fork_join_operation<Scope, T...>(children);
  }
};

template <class Scope, class... T>
class fork_join_operation : fork_base {
 public:
  using children_array = std::array<promise_base*, sizeof...(T)>;

  explicit fork_join_operation(children_array& children) noexcept : children_(children) {}

  fork_join_operation(fork_join_operation&&) = delete;

  ~fork_join_operation() {
    if constexpr (Scope::opens && sizeof...(T) != 0) {
      if (!unstarted()) {
        scope_.close();
      }
    }
    if constexpr ((result_slot<T>::tracked || ...)) {
      if (!unstarted()) {
        for_each_result([](auto& result) {
          if constexpr (std::remove_reference_t<decltype(result)>::tracked) {
            result.clear();
          }
        });
      }
    }
  }

  bool await_ready() const noexcept { return sizeof...(T) == 0; }

  template <std::derived_from<promise_base> Promise>
  [[gnu::always_inline]] std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    const children_array children = children_;  // Compilers know them until an atomic is read.
    worker_core& here = *current_worker;
    promise_base& parent = awaiting.promise();
    const epoch now = here.now();
    return parent.scope()->clear_at(now) ? start(children, parent, here, now)
                                         : look_and_start(parent, here, now);
  }

  [[gnu::always_inline]] std::tuple<typename gathered_value<T>::type...> await_resume() {
    if constexpr (sizeof...(T) != 0) {
      scope_.close();
    }
    if (troubled()) [[unlikely]] {
      throw_first_failure();
    }
    return take(std::index_sequence_for<T...>());
  }

 private:
  [[gnu::always_inline]] std::coroutine_handle<> start(const children_array& children,
                                                       promise_base& parent, worker_core& here,
                                                       epoch now) noexcept {
    children_.front() = nullptr;
    promise_base& first = *children.front();
    cancel_node* const scope = scope_.open(parent.scope(), now);
    prepare(children, scope, std::index_sequence_for<T...>());
    promise_base* second = nullptr;
    if constexpr (sizeof...(T) > 1) {
      second = children[1];
    }
    begin(parent, second, sizeof...(T), Scope::opens);
    if constexpr (Scope::opens) {
      here.scope = scope;
    }
    if constexpr (sizeof...(T) > 1) {
      offer(here);
    }
    if (--here.forks_until_look == 0 || !here.stack_left()) [[unlikely]] {
      return here.leave_fork(first);
    }
    return first.handle();
  }

  // Out of line, so that compilers know in the line above what has just been stored.
  [[gnu::noinline, gnu::cold]] std::coroutine_handle<> look_and_start(promise_base& parent,
                                                                      worker_core& here,
                                                                      epoch now) noexcept {
    const children_array children = children_;
    return parent.scope()->cancelled_at(now) ? here.stop_from_loop(parent)
                                             : start(children, parent, here, now);
  }

  template <std::size_t... I>
  void prepare([[maybe_unused]] const children_array& children, [[maybe_unused]] cancel_node* scope,
               std::index_sequence<I...>) noexcept {
    (prepare_one<I>(children, scope, std::get<I>(results_)), ...);
  }

  template <std::size_t I, class U>
  void prepare_one(const children_array& children, cancel_node* scope,
                   result_slot<U>& result) noexcept {
    if constexpr (result_slot<U>::tracked) {
      result.reset();
    }
    children[I]->continue_with(*this, false, scope, result.place_of_value());
    if constexpr (I != 0) {
      children[I]->next = I + 1 < sizeof...(T) ? children[(I + 1) % sizeof...(T)] : nullptr;
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

  children_array& children_;
  std::tuple<result_slot<T>...> results_;
  [[no_unique_address]] Scope scope_;
};

template <class Scope, class Fn, class Out>
class fork_join_n_operation;

template <class Scope, class Fn, class Out>
struct [[nodiscard]] fork_join_n_call : own_awaitable {
  std::size_t n;
  Fn* fn;
  Out results;

  fork_join_n_operation<Scope, Fn, Out> operator co_await() const {
    return fork_join_n_operation<Scope, Fn, Out>(n, *fn, results);
  }
};

// The form for n children: see fork_each_base. Results go to results[0] ... results[n - 1], or nowhere.
template <class Scope, class Fn, class Out>
class fork_join_n_operation : fork_each_base {
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

  ~fork_join_n_operation() {
    if constexpr (Scope::opens) {
      if (!unstarted()) {
        scope_.close();
      }
    }
  }

  bool await_ready() const noexcept { return count_ == 0; }

  template <std::derived_from<promise_base> Promise>
  [[gnu::always_inline]] std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) noexcept {
    worker_core& here = *current_worker;
    promise_base& parent = awaiting.promise();
    const epoch now = here.now();
    return parent.scope()->clear_at(now) ? start(parent, here, now)
                                         : look_and_start(parent, here, now);
  }

  void await_resume() {
    if (count_ != 0) {
      scope_.close();
    }
    if (troubled()) [[unlikely]] {
      throw_failure();
    }
  }

 private:
  static constexpr std::size_t most_children = 0xffff'ffff;

  [[gnu::always_inline]] std::coroutine_handle<> start(promise_base& parent, worker_core& here,
                                                       epoch now) noexcept {
    children_scope_ = scope_.open(parent.scope(), now);
    begin(parent, nullptr, count_, Scope::opens);
    if constexpr (Scope::opens) {
      here.scope = children_scope_;
    }
    if (--here.forks_until_look == 0 || !here.stack_left()) [[unlikely]] {
      return here.leave_fork(*this);
    }
    return start_child(*this, here, 0);
  }

  [[gnu::noinline, gnu::cold]] std::coroutine_handle<> look_and_start(promise_base& parent,
                                                                      worker_core& here,
                                                                      epoch now) noexcept {
    return parent.scope()->cancelled_at(now) ? here.stop_from_loop(parent)
                                             : start(parent, here, now);
  }

  static std::coroutine_handle<> start_child(fork_each_base& self, worker_core& here,
                                             std::uint32_t chain) noexcept {
    auto& fork = static_cast<fork_join_n_operation&>(self);
    const std::uint32_t i = fork.made_++;
    promise_base* child = nullptr;
    if (!fork.failed()) [[likely]] {
      child = fork.make(i, here);
    }
    if (child == nullptr) [[unlikely]] {  // It counts as ended, and those not yet made with it.
      const std::uint32_t given_up = fork.count_ - i;
      fork.made_ = fork.count_;
      return fork.end_chain(here, chain + given_up);
    }
    child->chain = chain + 1;
    if (fork.made_ != fork.count_) {
      fork.offer(here);
    } else if (here.forks.share()) [[unlikely]] {
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
      child_failed(std::current_exception(), children_scope_, here);
      return nullptr;
    }
  }

  void* place(std::uint32_t i) {
    if constexpr (std::is_void_v<value>) {
      return nullptr;
    } else {
      static_assert(std::is_same_v<decltype(results_[0]), value&>,
                    "coppice: the results go to objects of the type that the tasks give");
      static_assert(
          result_slot<value>::direct || std::is_move_assignable_v<value>,
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
template <class Scope = own_scope, class Fn, std::random_access_iterator Out>
fork_join_n_call<Scope, std::remove_reference_t<Fn>, Out> fork_join_n(std::size_t n, Fn&& fn,
                                                                      Out results) noexcept {
  return {{}, n, std::addressof(fn), results};
}

// The same without results.
template <class Scope = own_scope, class Fn>
fork_join_n_call<Scope, std::remove_reference_t<Fn>, void*> fork_join_n(std::size_t n,
                                                                        Fn&& fn) noexcept {
  return {{}, n, std::addressof(fn), nullptr};
}

// Runs the tasks at once; gives their results in argument order. On a failure the first to arrive is thrown,
// when all have ended.
template <class Scope = own_scope, class... T>
fork_join_call<Scope, T...> fork_join(task<T>&&... children) noexcept {
  return fork_join_call<Scope, T...>({&task_access::release(children)...});
}

}  // namespace coppice::inline v0::detail
