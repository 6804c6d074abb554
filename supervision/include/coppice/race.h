// Several things at once, one needed.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/joining.h>
#include <coppice/detail/racing.h>
#include <coppice/exception_group.h>
#include <coppice/scope.h>
#include <coppice/task.h>

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace coppice::inline v0 {

// Who won, with what, and the failures before it (race_success).
template <class V>
struct race_result {
  std::size_t index;
  V value;
  std::vector<error_entry> errors;
};

namespace detail {

template <class First, class... Rest>
struct raced {
  using type =
      std::conditional_t<(std::is_same_v<First, Rest> && ...), First, std::variant<First, Rest...>>;
};

template <class... A>
using raced_t = typename raced<gathered_t<A>...>::type;

// The winner's value goes to `value`; the I-th of a variant.
template <std::size_t I, class V, class T>
task<> run_racer(task<T> child, race_state& race, std::optional<V>& value) {
  const auto place = [&value](auto&&... from) {
    if constexpr (std::is_same_v<V, typename gathered_value<T>::type>) {
      value.emplace(std::forward<decltype(from)>(from)...);
    } else {
      value.emplace(std::in_place_index<I>, std::forward<decltype(from)>(from)...);
    }
  };
  outcome<T> end = co_await as_result(std::move(child));
  if (!race.ended(I, status_in_race(end), end.entry(), reason_in_race(end))) {
    co_return;
  }
  if constexpr (std::is_void_v<T>) {
    place();
  } else if constexpr (std::is_reference_v<T>) {
    place(std::ref(end.get()));
  } else {
    place(std::move(end).get());
  }
}

template <bool Success, class V, class... T, std::size_t... I>
task<race_result<V>> race_tuple(std::index_sequence<I...>, task<T>... racers) {
  race_state race(Success, sizeof...(T));
  std::optional<V> value;
  const auto body = [&](cancel_scope& scope) -> task<> {
    race.begin(scope.handle());
    co_await fork_join(run_racer<I, V, T>(std::move(racers), race, value)...);
  };
  co_await with_scope({.site = {}}, body);
  co_await race_end(race);
  co_return race_result<V>{race.winner(), std::move(*value), race.take_errors()};
}

template <class T, class V>
task<> run_racer_at(std::size_t i, task<T> child, race_state& race, std::optional<V>& value) {
  outcome<T> end = co_await as_result(std::move(child));
  if (!race.ended(i, status_in_race(end), end.entry(), reason_in_race(end))) {
    co_return;
  }
  if constexpr (std::is_void_v<T>) {
    value.emplace();
  } else if constexpr (std::is_reference_v<T>) {
    value.emplace(std::ref(end.get()));
  } else {
    value.emplace(std::move(end).get());
  }
}

template <bool Success, class R>
task<race_result<typename gathered_value<range_value<R>>::type>> race_range(kept_body<R> range) {
  using V = typename gathered_value<range_value<R>>::type;
  auto racers = children_of(range.get());
  require_racers(racers.size(), Success ? "race_success" : "race");
  race_state race(Success, racers.size());
  std::optional<V> value;
  const auto child = [&](std::size_t i) {
    return run_racer_at(i, std::move(racers[i]), race, value);
  };
  const auto body = [&](cancel_scope& scope) -> task<> {
    race.begin(scope.handle());
    co_await fork_join_n(racers.size(), child);
  };
  co_await with_scope({.site = {}}, body);
  co_await race_end(race);
  co_return race_result<V>{race.winner(), std::move(*value), race.take_errors()};
}

}  // namespace detail

// The first to finish decides: its value, or its failure thrown naked. The others are cancelled and awaited first;
// their values are destroyed, their failures reported (suppressed). One cancelled by itself does not count unless all
// are: task_cancelled. Of nothing: usage_error (of no arguments: does not compile).
template <awaitable A, awaitable... Rest>
task<race_result<detail::raced_t<A, Rest...>>> race(A&& first, Rest&&... rest) {
  return detail::race_tuple<false, detail::raced_t<A, Rest...>>(
      std::index_sequence_for<A, Rest...>(), detail::child_of(std::forward<A>(first)),
      detail::child_of(std::forward<Rest>(rest))...);
}

template <awaitable_range R>
  requires(!awaitable<R>)
task<race_result<typename detail::gathered_value<range_value<R>>::type>> race(R&& range) {
  return detail::race_range<false, R>(detail::kept_body<R>(std::forward<R>(range)));
}

// The first to succeed; failures before it are in errors. All failed: exception_group in order of failure, nothing
// cancelled.
template <awaitable A, awaitable... Rest>
task<race_result<detail::raced_t<A, Rest...>>> race_success(A&& first, Rest&&... rest) {
  return detail::race_tuple<true, detail::raced_t<A, Rest...>>(
      std::index_sequence_for<A, Rest...>(), detail::child_of(std::forward<A>(first)),
      detail::child_of(std::forward<Rest>(rest))...);
}

template <awaitable_range R>
  requires(!awaitable<R>)
task<race_result<typename detail::gathered_value<range_value<R>>::type>> race_success(R&& range) {
  return detail::race_range<true, R>(detail::kept_body<R>(std::forward<R>(range)));
}

}  // namespace coppice::inline v0
