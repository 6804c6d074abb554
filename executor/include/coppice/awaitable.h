// What all awaited calls share: the concept of an awaitable, and the guard for closures.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/await_suspend.h>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

template <class T = void>
class task;

namespace detail {

// Base of our own awaitables: a task awaits them as they are. What is not one is bridged, see awaiter.h.
struct own_awaitable {};

template <class A>
concept has_member_co_await = requires(A&& a) { static_cast<A&&>(a).operator co_await(); };

template <class A>
concept has_free_co_await = requires(A&& a) { operator co_await(static_cast<A&&>(a)); };

template <class A>
concept is_awaiter = requires(A& a) {
  { a.await_ready() } -> std::convertible_to<bool>;
  a.await_resume();
};

template <class A>
struct awaited;

template <has_member_co_await A>
struct awaited<A> {
  using type = decltype(std::declval<A>().operator co_await().await_resume());
};

template <class A>
  requires(!has_member_co_await<A> && has_free_co_await<A>)
struct awaited<A> {
  using type = decltype(operator co_await(std::declval<A>()).await_resume());
};

template <class A>
  requires(!has_member_co_await<A> && !has_free_co_await<A> && is_awaiter<A>)
struct awaited<A> {
  using type = decltype(std::declval<A&>().await_resume());
};

}  // namespace detail

// Anything a task may co_await; awaited_t is what that gives.
template <class A>
concept awaitable = requires { typename detail::awaited<A>::type; };

template <class A>
using awaited_t = typename detail::awaited<A>::type;

// "Take it from here": a named object handed by move to an awaited call, safe under g++ 12. The object must
// outlive the await.
template <class T>
class moved_ref {
 public:
  explicit moved_ref(T& object) noexcept : object_(&object) {}

  T& get() const noexcept { return *object_; }

  template <class... Args>
  std::invoke_result_t<T&, Args...> operator()(Args&&... args) const {
    return (*object_)(static_cast<Args&&>(args)...);
  }

 private:
  T* object_;
};

template <class T>
moved_ref<T> moved(T& named) noexcept {
  return moved_ref<T>(named);
}

namespace detail {

// g++ before 13 destroys twice a temporary closure, or brace-made aggregate, in a full-expression that
// awaits.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool temporaries_live_once = false;
#else
inline constexpr bool temporaries_live_once = true;
#endif

template <class F>
concept safe_closure = temporaries_live_once || std::is_lvalue_reference_v<F> || awaitable<F> ||
                       std::is_trivially_destructible_v<std::remove_cvref_t<F>>;

template <class V>
concept safe_value = temporaries_live_once || std::is_lvalue_reference_v<V> ||
                     !std::is_aggregate_v<std::remove_cvref_t<V>> ||
                     std::is_trivially_destructible_v<std::remove_cvref_t<V>>;

template <class Result, class... F>
struct closures_guarded {
  static_assert(
      (safe_closure<F> && ...),
      "coppice: this compiler destroys such a lambda twice when it is written inside co_await. "
      "Name the lambda and pass it by name: auto body = [x]() -> task<> {...}; co_await f(body); "
      "(no std::move; f(moved(body)) moves it)");
  using type = Result;
};

template <class Result, class V>
struct value_guarded {
  static_assert(safe_value<V>,
                "coppice: this compiler destroys such an aggregate twice when it is written inside "
                "co_await. Name it first and pass moved(name), or give the type a constructor");
  using type = Result;
};

// The result type of an awaited call that takes the closures F... as forwarding references.
template <class Result, class... F>
using guarded = typename closures_guarded<Result, F...>::type;

template <class Result, class V>
using guarded_value = typename value_guarded<Result, V>::type;

template <class T>
struct task_value {};

template <class T>
struct task_value<task<T>> {
  using type = T;
};

// What a spawned callable gives: the T of a task<T>, or the plain T itself.
template <class R>
struct spawned {
  using type = R;
};

template <class T>
struct spawned<task<T>> {
  using type = T;
};

// The T of a body: an awaitable, or a callable giving task<T> that takes Args or nothing.
template <class Body, class... Args>
struct body_value;

template <awaitable Body, class... Args>
struct body_value<Body, Args...> {
  using type = awaited_t<Body>;
};

template <class Body, class... Args>
  requires(!awaitable<Body> && std::is_invocable_v<Body&, Args...>)
struct body_value<Body, Args...> : task_value<std::invoke_result_t<Body&, Args...>> {};

template <class Body, class... Args>
  requires(!awaitable<Body> && !std::is_invocable_v<Body&, Args...> && std::is_invocable_v<Body&>)
struct body_value<Body, Args...> : task_value<std::invoke_result_t<Body&>> {};

template <class Body, class... Args>
using body_value_t = typename body_value<Body, Args...>::type;

}  // namespace detail

// A callable that spawn accepts: gives a task<T>, or (run as it is, on a worker) a plain T.
template <class F, class... Args>
concept spawnable = std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>;

template <class F, class... Args>
using spawned_t =
    typename detail::spawned<std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>>::type;

// How many may run at once; 0 is a usage_error.
struct limit {
  std::size_t n;
};

}  // namespace coppice::inline v0
