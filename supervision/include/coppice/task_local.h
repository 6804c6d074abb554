// A value that a task and those below it see.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/binding_scope.h>
#include <coppice/detail/scope_run.h>

#include <utility>

namespace coppice::inline v0 {

// A key; declare it as a static object: `inline const task_local<std::string> request_id;`. A spawned task sees what
// was bound at its spawn (a snapshot, O(1)); with Inherit = false it sees nothing.
template <class T, bool Inherit = true>
class task_local {
 public:
  constexpr task_local() noexcept {}
  task_local(const task_local&) = delete;
  task_local& operator=(const task_local&) = delete;

  // The innermost value bound for the current task; null if none or outside tasks. Valid until the with() that bound
  // it ends, in a task spawned below until the task does.
  const T* get() const noexcept { return static_cast<const T*>(detail::bound_now(this)); }

  // That value, or the other.
  template <class U>
  T value_or(U&& other) const {
    const T* const bound = get();
    return bound != nullptr ? *bound : static_cast<T>(std::forward<U>(other));
  }

  // Runs the body with the value bound: an awaitable, or a callable body() giving a task. The body's end unbinds; tasks
  // it spawned keep their snapshot alive. It is no scope to users, and no cancellation point. Throws std::bad_alloc,
  // and what making a T of the value throws, before the body begins.
  template <class V, class Body>
  detail::guarded_value<
      detail::guarded<
          detail::scope_operation<detail::body_value_t<Body>, detail::binding_policy, Body>, Body>,
      V>
  with(V&& value, Body&& body) const {
    return {
        detail::binding_policy(*new detail::bound_value<T>(this, Inherit, std::forward<V>(value))),
        std::forward<Body>(body)};
  }
};

}  // namespace coppice::inline v0
