// The bodies of awaited calls: kept until they run, and made a coroutine then.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/promise_base.h>
#include <coppice/error.h>
#include <coppice/task.h>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

template <class T>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

// An awaitable that lies elsewhere, as a task: an lvalue stays what it is, an rvalue is used up.
template <class T, class A>
task<T> awaiting(A&& held) {
  co_return co_await static_cast<A&&>(held);
}

// The same of what waits in its own place: that must go when the wait is given up, and so lies in the task's frame.
template <class T, class A>
task<T> awaiting_kept(A kept) {
  co_return co_await std::move(kept);
}

template <class A>
inline constexpr bool waits_in_place =
    std::derived_from<std::remove_cvref_t<A>, own_awaitable> && is_awaiter<std::remove_cvref_t<A>>;

// `Body` as it was given: a reference to an lvalue, or a type of what was moved in and is kept in `held`.
template <class T, class Body, class... Args>
task<T> make_body(std::remove_reference_t<Body>& held, Args&... args) {
  if constexpr (is_task<std::remove_cvref_t<Body>>) {
    return std::move(held);
  } else if constexpr (waits_in_place<Body>) {
    return awaiting_kept<T, std::remove_cvref_t<Body>>(std::move(held));
  } else if constexpr (awaitable<Body>) {
    return awaiting<T, Body>(static_cast<Body&&>(held));
  } else if constexpr (std::is_invocable_v<Body&, Args&...>) {
    return std::invoke(held, args...);
  } else {
    return std::invoke(held);
  }
}

// The same, of which a task comes that can be run; else usage_error.
template <class T, class Body, class... Args>
task<T> start_body(std::remove_reference_t<Body>& held, Args&... args) {
  task<T> made = make_body<T, Body>(held, args...);
  if (!made) [[unlikely]] {
    throw usage_error(
        "an empty task is no body: it was default-constructed, moved from, or awaited before");
  }
  return made;
}

// Keeps what a call was given: an lvalue by reference, an rvalue moved in.
template <class Body>
class kept_body {
 public:
  explicit kept_body(Body&& from) noexcept(std::is_nothrow_move_constructible_v<Body>)
      : body_(std::move(from)) {}
  Body& get() noexcept { return body_; }

 private:
  Body body_;
};

template <class Body>
class kept_body<Body&> {
 public:
  explicit kept_body(Body& from) noexcept : body_(&from) {}
  Body& get() noexcept { return *body_; }

 private:
  Body* body_;
};

}  // namespace coppice::inline v0::detail
