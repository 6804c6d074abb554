// What the functions that join several awaitables share: their children, and whose turn it is.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/body.h>
#include <coppice/detail/export.h>
#include <coppice/detail/fork_join.h>
#include <coppice/detail/result_slot.h>
#include <coppice/outcome.h>
#include <coppice/shield.h>
#include <coppice/task.h>

#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

namespace detail {

template <class A>
struct joined {};
template <awaitable A>
struct joined<A> {
  using type = awaited_t<A>;
};

// A handle that stays is copied from.
template <class T>
struct joined<task_handle<T>&> {
  using type = T;
};
template <class T>
struct joined<const task_handle<T>&> {
  using type = T;
};

template <class A>
inline constexpr bool is_handle = false;
template <class T>
inline constexpr bool is_handle<task_handle<T>> = true;

// The element of a range: a task is awaited as an rvalue, whatever the range is; a handle is copied from.
template <class R>
using element = std::ranges::range_value_t<R>;

template <class E>
struct element_given {};
template <awaitable E>
struct element_given<E> {
  using type = awaited_t<E>;
};
template <class T>
struct element_given<task_handle<T>> {
  using type = T;
};

// The end of a handle's task that one joins for. If the join gives up the task is cancelled, and awaited; if only
// the caller is stopped, the caller waits no more.
COPPICE_EXPORT task<> join_end(task_ref of);

// `Move`: the value is moved out, as the handle was given away or the value cannot be copied.
template <bool Move, class T>
task<T> child_of_handle(task_handle<T> handle) {
  co_await join_end(handle);
  if constexpr (Move) {
    co_return co_await std::move(handle);
  } else {
    co_return co_await handle;
  }
}

template <class T, class A>
task<T> child_of_kept(A awaitable) {
  co_return co_await std::move(awaitable);
}

// Fails: stands for a task that holds nothing.
[[noreturn]] COPPICE_EXPORT void throw_empty_child();

template <class T>
task<T> empty_child() {
  throw_empty_child();
  co_return co_await task<T>();
}

// The task itself, where it lies.
template <class T>
task<T>&& whole(task<T>& child) {
  if (!child) [[unlikely]] {
    child = empty_child<T>();
  }
  return std::move(child);
}

// Makes a task of what is to be a child.
template <class A>
auto child_of(A&& from) {
  using plain = std::remove_cvref_t<A>;
  if constexpr (is_task<plain>) {
    return plain(whole(from));
  } else if constexpr (is_handle<plain>) {
    return child_of_handle<!std::is_lvalue_reference_v<A>>(plain(from));
  } else if constexpr (std::is_lvalue_reference_v<A> && !waits_in_place<A>) {
    return awaiting<awaited_t<A>, A>(from);
  } else {
    return child_of_kept<awaited_t<A>, plain>(static_cast<plain&&>(from));
  }
}

// An element of a range, which is used up unless it is a handle.
template <class E>
auto child_of_element(E&& from) {
  using plain = std::remove_cvref_t<E>;
  if constexpr (is_handle<plain>) {
    using T = typename plain::value_type;
    return child_of_handle < !std::is_void_v<T> &&
           !std::is_copy_constructible_v < T >> (plain(std::forward<E>(from)));
  } else {
    return child_of(plain(static_cast<std::remove_reference_t<E>&&>(from)));
  }
}

template <class R>
auto children_of(R& range) {
  std::vector<decltype(child_of_element(*std::ranges::begin(range)))> children;
  if constexpr (std::ranges::sized_range<R>) {
    children.reserve(std::ranges::size(range));
  }
  for (auto&& each : range) {
    children.push_back(child_of_element(std::forward<decltype(each)>(each)));
  }
  return children;
}

// How a child ended, also if it was stopped; `stopped` says whether it was, rather than the task of a handle.
template <class T>
task<outcome<T>> settle(task<T> child, bool& stopped) {
  outcome<T> end = co_await as_result(std::move(child));
  stopped = end.cancelled();
  co_return end;
}

// The outcome of awaiting a handle, as that of its task: cancelled if that was.
template <class T>
outcome<T> outcome_of_task(outcome<T> end) {
  if (end.failed()) {
    if (const auto* const cancelled = end.entry().template get_if<task_cancelled>()) {
      return outcome<T>::cancelled_with(cancelled->reason());
    }
  }
  return end;
}

// Gives out the elements of a range, one by one, to those that take turns.
template <class R>
class turns {
  using range = std::remove_reference_t<R>;

 public:
  explicit turns(range& over) : at_(std::ranges::begin(over)), end_(std::ranges::end(over)) {}

  // What `make` makes of the next element and its index; empty if there is none.
  template <class Make>
  auto take(const Make& make)
      -> std::optional<decltype(make(*std::declval<std::ranges::iterator_t<range>&>(),
                                     std::size_t{}))> {
    const std::lock_guard lock(mutex_);
    if (at_ == end_) {
      return std::nullopt;
    }
    const struct step {
      turns& of;
      ~step() noexcept(false) { ++of.at_; }
    } behind{*this};
    return make(*at_, index_++);
  }

 private:
  std::mutex mutex_;
  std::ranges::iterator_t<range> at_;  // Under the lock, and all here.
  std::ranges::sentinel_t<range> end_;
  std::size_t index_ = 0;
};

COPPICE_EXPORT void require_lanes(std::size_t n, const char* call);

// Results that come in any order, of a type that need not have a default.
template <class T>
class results_in_place {
 public:
  explicit results_in_place(std::size_t n) : values_(n) {}
  template <class V>
  void set(std::size_t i, V&& value) {
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
  std::vector<std::optional<typename gathered_value<T>::type>> values_;
};

template <class T>
struct gathered_range {
  using type = std::vector<typename gathered_value<T>::type>;
};
template <>
struct gathered_range<void> {
  using type = void;
};

}  // namespace detail

// Tasks, operations, handles; in ranges too. A range's tasks are consumed.
template <class R>
concept awaitable_range = std::ranges::input_range<R> && awaitable<detail::element<R>>;

// T; monostate for void; reference_wrapper for T&.
template <class A>
using gathered_t = typename detail::gathered_value<typename detail::joined<A>::type>::type;

template <class R>
using range_value = typename detail::element_given<detail::element<R>>::type;

}  // namespace coppice::inline v0
