// Several things at once, all needed.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/joining.h>
#include <coppice/task.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

namespace detail {

template <class R>
using gathered_range_t = typename gathered_range<range_value<R>>::type;

// `R` as it was given: a reference to an lvalue, or what was moved in.
template <class R>
task<gathered_range_t<R>> gather_all(kept_body<R> range) {
  using T = range_value<R>;
  std::vector<task<T>> children = children_of(range.get());
  if constexpr (std::is_void_v<T>) {
    const auto child = [&children](std::size_t i) { return std::move(children[i]); };
    co_await fork_join_n(children.size(), child);
  } else {
    results_in_place<T> results(children.size());
    const auto child = [&children, &results](std::size_t i) -> task<> {
      results.set(i, co_await std::move(children[i]));
    };
    co_await fork_join_n(children.size(), child);
    co_return results.take();
  }
}

// Each lane runs one child after the other.
template <class Turns, class Run>
task<> run_lane(Turns& turns, Run& run) {
  for (;;) {
    co_await stop_point();
    auto child = turns.take(run);
    if (!child) {
      co_return;
    }
    co_await std::move(*child);
  }
}

template <class Turns, class Run>
task<> run_lanes(limit at_once, Turns& turns, Run& run) {
  const auto lane = [&](std::size_t) { return run_lane(turns, run); };
  co_await fork_join_n(at_once.n, lane);
}

template <class R>
limit lanes_for(limit at_once, R& range, const char* call) {
  require_lanes(at_once.n, call);
  if constexpr (std::ranges::sized_range<R>) {
    at_once.n = std::min<std::size_t>(at_once.n, std::ranges::size(range));
  }
  return at_once;
}

// The results of a range whose size is known only at its end.
template <class T>
class growing_results {
 public:
  template <class V>
  void set(std::size_t i, V&& value) {
    const std::lock_guard lock(mutex_);
    if (values_.size() <= i) {
      values_.resize(i + 1);
    }
    values_[i].emplace(std::forward<V>(value));
  }
  std::vector<typename gathered_value<T>::type> take() {
    std::vector<typename gathered_value<T>::type> all;
    all.reserve(values_.size());
    for (auto& each : values_) {
      all.push_back(std::move(*each));
    }
    return all;
  }

 private:
  std::mutex mutex_;
  std::vector<std::optional<typename gathered_value<T>::type>> values_;  // Under the lock.
};

template <class T>
task<> store_result(task<T> child, growing_results<T>& results, std::size_t i) {
  results.set(i, co_await std::move(child));
}

template <class R>
task<gathered_range_t<R>> gather_limited(limit at_once, kept_body<R> range) {
  using T = range_value<R>;
  at_once = lanes_for(at_once, range.get(), "gather(limit, range)");
  turns<R> left(range.get());
  if constexpr (std::is_void_v<T>) {
    const auto child = [](auto&& each, std::size_t) {
      return child_of_element(std::forward<decltype(each)>(each));
    };
    co_await run_lanes(at_once, left, child);
  } else {
    growing_results<T> results;
    const auto child = [&results](auto&& each, std::size_t i) {
      return store_result<T>(child_of_element(std::forward<decltype(each)>(each)), results, i);
    };
    co_await run_lanes(at_once, left, child);
    co_return results.take();
  }
}

template <class A, class T>
outcome<T> settled_outcome(outcome<T> end) {
  if constexpr (is_handle<std::remove_cvref_t<A>>) {
    return outcome_of_task(std::move(end));
  } else {
    return end;
  }
}

// How each child ended; if one was stopped the caller is, behind all.
template <class... A, std::size_t... I>
task<std::tuple<outcome<typename joined<A>::type>...>> gather_outcomes(
    std::index_sequence<I...>, task<typename joined<A>::type>... children) {
  std::array<bool, sizeof...(A)> stopped{};
  std::tuple<outcome<typename joined<A>::type>...> ends =
      co_await fork_join(settle(std::move(children), stopped[I])...);
  for (const bool each : stopped) {
    if (each) {
      co_await stop_point(asks::behind_a_stop);
    }
  }
  co_return std::apply(
      [](auto&... each) { return std::tuple(settled_outcome<A>(std::move(each))...); }, ends);
}

template <class R>
task<> settle_element(task<range_value<R>> child, growing_results<outcome<range_value<R>>>& results,
                      std::size_t i, atomic<bool>& stopped) {
  bool mine = false;
  outcome<range_value<R>> end = co_await settle(std::move(child), mine);
  if (mine) {
    stopped.store(true, std::memory_order_relaxed);
  }
  results.set(i, settled_outcome<element<R>>(std::move(end)));
}

template <class R>
task<std::vector<outcome<range_value<R>>>> gather_outcomes_of(std::optional<limit> at_once,
                                                              kept_body<R> range) {
  using T = range_value<R>;
  growing_results<outcome<T>> results;
  atomic<bool> stopped{false};
  if (at_once) {
    const limit lanes = lanes_for(*at_once, range.get(), "gather_settled(limit, range)");
    turns<R> left(range.get());
    const auto child = [&](auto&& each, std::size_t i) {
      return settle_element<R>(child_of_element(std::forward<decltype(each)>(each)), results, i,
                               stopped);
    };
    co_await run_lanes(lanes, left, child);
  } else {
    std::vector<task<T>> children = children_of(range.get());
    const auto child = [&](std::size_t i) {
      return settle_element<R>(std::move(children[i]), results, i, stopped);
    };
    co_await fork_join_n(children.size(), child);
  }
  if (stopped.load(std::memory_order_relaxed)) {
    co_await stop_point(asks::behind_a_stop);
  }
  co_return results.take();
}

// `E`: a reference, or an element that the range gives by value and that is kept here.
template <class E, class Fn>
task<> call_for(Fn& function, E element) {
  if constexpr (is_task<std::invoke_result_t<Fn&, E&&>>) {
    co_await std::invoke(function, static_cast<E&&>(element));
  } else {
    std::invoke(function, static_cast<E&&>(element));
    co_return;
  }
}

template <class R, class Fn>
task<> for_each_element(limit at_once, kept_body<R> range, kept_body<Fn> function) {
  at_once = lanes_for(at_once, range.get(), "for_each");
  turns<R> left(range.get());
  auto& fn = function.get();
  // What can be read once only may lie in the range itself, until the next is read.
  using given = std::conditional_t<std::ranges::forward_range<R>, std::ranges::range_reference_t<R>,
                                   std::ranges::range_value_t<R>>;
  const auto child = [&fn](auto&& each, std::size_t) {
    return call_for<given>(fn, static_cast<given>(std::forward<decltype(each)>(each)));
  };
  co_await run_lanes(at_once, left, child);
}

// A callable with its element, as a call of gather_n keeps it.
template <class Fn, class Out>
class [[nodiscard]] gather_n_call : public own_awaitable {
 public:
  gather_n_call(std::size_t n, Fn&& fn, Out results)
      : n_(n), fn_(static_cast<Fn&&>(fn)), results_(results) {}

  auto operator co_await() && {
    return fork_join_n_operation<own_scope, std::remove_reference_t<Fn>, Out>(n_, fn_.get(),
                                                                              results_);
  }

 private:
  std::size_t n_;
  kept_body<Fn> fn_;
  Out results_;
};

template <class T, class Fn>
task<std::vector<typename gathered_value<T>::type>> gather_n_values(std::size_t n,
                                                                    kept_body<Fn> function) {
  results_in_place<T> results(n);
  auto& fn = function.get();
  const auto child = [&fn, &results](std::size_t i) -> task<> {
    task<T> made = std::invoke(fn, i);
    results.set(i, co_await std::move(made));
  };
  co_await fork_join_n(n, child);
  co_return results.take();
}

}  // namespace detail

// Runs all; gives the results in argument order: T, monostate for void, reference_wrapper for T&. On the first failure
// (or cancelled handle) the rest are cancelled and awaited, then it leaves naked; later failures are suppressed ones of
// the first, and reported. A cancellation point. Of nothing: an empty tuple, at once. Of tasks it is the fork-join
// form, and allocates nothing besides their frames.
template <awaitable... A>
auto gather(A&&... awaitables) {
  if constexpr ((detail::is_task<A> && ...)) {
    return detail::fork_join(detail::whole(awaitables)...);
  } else {
    return detail::fork_join(detail::child_of(std::forward<A>(awaitables))...);
  }
}

// The same of a range: vector<T>, or nothing for a range of task<>.
template <awaitable_range R>
  requires(!awaitable<R>)
task<detail::gathered_range_t<R>> gather(R&& range) {
  return detail::gather_all<R>(detail::kept_body<R>(std::forward<R>(range)));
}

// At most so many at once; elements are taken when their turn comes, in order.
template <awaitable_range R>
task<detail::gathered_range_t<R>> gather(limit at_once, R&& range) {
  return detail::gather_limited<R>(at_once, detail::kept_body<R>(std::forward<R>(range)));
}

// Runs fn(0) ... fn(n - 1), each giving a task<T> made when its turn comes (its predecessor is done, or a thief took the
// continuation): the fork-join form for n children, with no array of tasks. Gives vector<T>, or nothing for void; the
// second form assigns result i to results[i] and allocates nothing. Failure: as gather.
template <class Fn>
  requires std::is_invocable_v<Fn&, std::size_t>
auto gather_n(std::size_t n, Fn&& fn) {
  using T = spawned_t<Fn&, std::size_t>;
  if constexpr (std::is_void_v<T>) {
    return detail::guarded<detail::gather_n_call<Fn, void*>, Fn>(n, std::forward<Fn>(fn), nullptr);
  } else {
    using given = detail::guarded<task<std::vector<typename detail::gathered_value<T>::type>>, Fn>;
    return given(detail::gather_n_values<T, Fn>(n, detail::kept_body<Fn>(std::forward<Fn>(fn))));
  }
}

template <class Fn, std::random_access_iterator Out>
  requires std::is_invocable_v<Fn&, std::size_t>
detail::guarded<detail::gather_n_call<Fn, Out>, Fn> gather_n(std::size_t n, Fn&& fn, Out results) {
  return {n, std::forward<Fn>(fn), results};
}

// Another name for gather. A timeout: co_await with_timeout(d, gather(...)).
template <awaitable... A>
auto gather_or_abort(A&&... awaitables) {
  return gather(std::forward<A>(awaitables)...);
}

template <awaitable_range R>
  requires(!awaitable<R>)
auto gather_or_abort(R&& range) {
  return gather(std::forward<R>(range));
}

// Runs all to their end; gives their outcomes in argument order; throws nothing of theirs, cancels nothing. Of a
// handle it is the outcome of its task.
template <awaitable... A>
task<std::tuple<outcome<typename detail::joined<A>::type>...>> gather_settled(A&&... awaitables) {
  return detail::gather_outcomes<A...>(std::index_sequence_for<A...>(),
                                       detail::child_of(std::forward<A>(awaitables))...);
}

template <awaitable_range R>
  requires(!awaitable<R>)
task<std::vector<outcome<range_value<R>>>> gather_settled(R&& range) {
  return detail::gather_outcomes_of<R>(std::nullopt, detail::kept_body<R>(std::forward<R>(range)));
}

template <awaitable_range R>
task<std::vector<outcome<range_value<R>>>> gather_settled(limit at_once, R&& range) {
  return detail::gather_outcomes_of<R>(at_once, detail::kept_body<R>(std::forward<R>(range)));
}

// fn(element) -> task<> or void for each element, at most n at once, started in order. Failure: as gather. Lazy: an
// element is taken from the range when its turn comes.
template <std::ranges::input_range R, class Fn>
detail::guarded<task<>, Fn> for_each(limit at_once, R&& range, Fn&& fn) {
  return detail::for_each_element<R, Fn>(at_once, detail::kept_body<R>(std::forward<R>(range)),
                                         detail::kept_body<Fn>(std::forward<Fn>(fn)));
}

}  // namespace coppice::inline v0
