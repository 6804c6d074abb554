// The parallel algorithms of oneTBB in tasks: tied to their scope, and run by the runtime's own threads.
//
//   co_await coppice::parallel_for(tbb::blocked_range<std::size_t>(0, rows), work);
//
// (Called by their whole names: by the plain one oneTBB's are found as well.)
//
// The task waits on its worker until the algorithm is over; workers that have nothing else to do come and help, and no thread
// of oneTBB's does: so the runtime needs no more threads than it has. A helper goes and looks after others about every
// millisecond, when the part of the range that it has taken is done: the less a part takes, the sooner
// (simple_partitioner's are the smallest). COPPICE_TBB=off: oneTBB's own threads, in the arena of the calling thread.
//
// Bodies are plain functions, and call nothing of coppice's that needs a task; a cancel_token that they were given they may
// ask. In a body oneTBB may be used as ever, also nested. One loop's threads run no other loop's bodies.
//
// **A stop** leaves the rest out, and stops the task: no half result is seen. It is looked for between the parts that a range
// is divided into, whatever the partitioner: a body is called again for as much as took 50 us before. A body that was
// called runs to its end, and a loop that was whole when the stop came gives its result. **Failures**: the first leaves the
// rest out; all that were thrown by then leave as one exception_group, but for one that is fatal.
//
// The component `tbb` of the package; nothing else that coppice shows includes oneTBB.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/tbb_loop.h>
#include <coppice/error.h>
#include <coppice/shield.h>
#include <coppice/task.h>
#include <coppice/task_handle.h>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/parallel_scan.h>
#include <oneapi/tbb/parallel_sort.h>
#include <oneapi/tbb/partitioner.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

namespace detail {

template <class R>
concept tbb_range = std::copy_constructible<R> && requires(R& range, const R& seen) {
  R(range, tbb::split());
  { seen.is_divisible() } -> std::convertible_to<bool>;
};

// What a coroutine keeps of an argument: an lvalue stays where it is.
template <class T>
using kept = std::conditional_t<std::is_lvalue_reference_v<T>, const std::remove_reference_t<T>&,
                                std::remove_cvref_t<T>>;

// An affinity_partitioner remembers, and stays where it is; the others are values.
template <class P>
using kept_partitioner =
    std::conditional_t<std::is_same_v<P, tbb::affinity_partitioner&>, P, std::remove_cvref_t<P>>;

template <class Range, class Body, class Partitioner>
task<> for_each_part(Range range, Body body, Partitioner partitioner) {
  co_await stop_point();
  tbb_loop loop(this_task::token());
  const auto each = [&](const Range& part) { loop.each_part(part, body); };
  loop.run([&] { tbb::parallel_for(range, each, partitioner); });
  co_await loop.finish("parallel_for");
}

template <class Index>
std::size_t steps_between(Index first, Index last, Index step) {
  if (step <= 0) {
    throw usage_error("parallel_for: its step is " + std::to_string(step) +
                      "; it has to be above zero");
  }
  if (last <= first) {
    return 0;
  }
  const auto between = static_cast<std::size_t>(last) - static_cast<std::size_t>(first);
  return (between - 1) / static_cast<std::size_t>(step) + 1;
}

template <class Index, class F, class Partitioner>
task<> for_each_index(Index first, Index step, std::size_t count, F f, Partitioner partitioner) {
  using range = tbb::blocked_range<std::size_t>;
  const auto each = [&](const range& part) {
    for (std::size_t i = part.begin(); i != part.end(); ++i) {
      f(static_cast<Index>(static_cast<std::size_t>(first) + i * static_cast<std::size_t>(step)));
    }
  };
  co_await for_each_part<range, const decltype(each)&, Partitioner>(
      range(0, count), each, static_cast<Partitioner&&>(partitioner));
}

template <class Range, class Value, class Body, class Reduction, class Partitioner>
task<Value> reduce_parts(Range range, Value identity, Body body, Reduction reduction,
                         Partitioner partitioner) {
  co_await stop_point();
  tbb_loop loop(this_task::token());
  const auto each = [&](const Range& part, Value value) {
    loop.each_part(part, [&](const Range& piece) { value = body(piece, std::move(value)); });
    return value;
  };
  const auto both = [&](Value left, Value right) {
    loop.call([&] { left = reduction(std::move(left), std::move(right)); });
    return left;
  };
  std::optional<Value> value;
  loop.run([&] { value.emplace(tbb::parallel_reduce(range, identity, each, both, partitioner)); });
  co_await loop.finish("parallel_reduce");
  co_return std::move(*value);
}

template <class Range, class Value, class Scan, class Combine, class Partitioner>
task<Value> scan_parts(Range range, Value identity, Scan scan, Combine combine,
                       Partitioner partitioner) {
  co_await stop_point();
  tbb_loop loop(this_task::token());
  const auto each = [&](const Range& part, Value value, bool is_final) {
    loop.each_part(part,
                   [&](const Range& piece) { value = scan(piece, std::move(value), is_final); });
    return value;
  };
  const auto both = [&](Value left, Value right) {
    loop.call([&] { left = combine(std::move(left), std::move(right)); });
    return left;
  };
  std::optional<Value> value;
  loop.run([&] { value.emplace(tbb::parallel_scan(range, identity, each, both, partitioner)); });
  co_await loop.finish("parallel_scan");
  co_return std::move(*value);
}

template <class Iterator, class Compare>
task<> sort_range(Iterator first, Iterator last, Compare compare) {
  co_await stop_point();
  tbb_loop loop(this_task::token());
  const auto looking = [&](const auto& left, const auto& right) -> bool {
    loop.look_now_and_then();
    return compare(left, right);
  };
  loop.run([&] { tbb::parallel_sort(first, last, looking); });
  co_await loop.finish("parallel_sort");
}

template <class... F>
task<> invoke_all(F... functions) {
  co_await stop_point();
  tbb_loop loop(this_task::token());
  loop.run([&] {
    if constexpr (sizeof...(F) == 1) {
      (loop.whole(functions), ...);
    } else {
      tbb::parallel_invoke([&] { loop.whole(functions); }...);
    }
  });
  co_await loop.finish("parallel_invoke");
}

}  // namespace detail

// What is given as an lvalue is not copied, and lives until the await returns. Several threads call a body at a time, so it
// is const to them.

// body(const Range&) for parts that are the whole range together.
template <detail::tbb_range Range, class Body, class Partitioner = tbb::auto_partitioner>
  requires std::invocable<const std::remove_cvref_t<Body>&, const Range&>
detail::guarded<task<>, Body> parallel_for(Range range, Body&& body,
                                           Partitioner&& partitioner = {}) {
  return detail::for_each_part<Range, detail::kept<Body>, detail::kept_partitioner<Partitioner>>(
      std::move(range), std::forward<Body>(body), std::forward<Partitioner>(partitioner));
}

// f(i) for each i from first, in steps, below last. A step that is not above zero: usage_error.
template <std::integral Index, class F, class Partitioner = tbb::auto_partitioner>
  requires std::invocable<const std::remove_cvref_t<F>&, Index>
detail::guarded<task<>, F> parallel_for(Index first, Index last, Index step, F&& f,
                                        Partitioner&& partitioner = {}) {
  return detail::for_each_index<Index, detail::kept<F>, detail::kept_partitioner<Partitioner>>(
      first, step, detail::steps_between(first, last, step), std::forward<F>(f),
      std::forward<Partitioner>(partitioner));
}
template <std::integral Index, class F, class Partitioner = tbb::auto_partitioner>
  requires std::invocable<const std::remove_cvref_t<F>&, Index>
detail::guarded<task<>, F> parallel_for(Index first, Index last, F&& f,
                                        Partitioner&& partitioner = {}) {
  return coppice::parallel_for(first, last, Index{1}, std::forward<F>(f),
                               std::forward<Partitioner>(partitioner));
}

// Value body(const Range&, Value) from the identity through the parts of the range in their order; Value reduction(Value,
// Value) of what lies side by side.
template <detail::tbb_range Range, class Value, class Body, class Reduction,
          class Partitioner = tbb::auto_partitioner>
detail::guarded<task<Value>, Body, Reduction> parallel_reduce(Range range, Value identity,
                                                              Body&& body, Reduction&& reduction,
                                                              Partitioner&& partitioner = {}) {
  return detail::reduce_parts<Range, Value, detail::kept<Body>, detail::kept<Reduction>,
                              detail::kept_partitioner<Partitioner>>(
      std::move(range), std::move(identity), std::forward<Body>(body),
      std::forward<Reduction>(reduction), std::forward<Partitioner>(partitioner));
}

// Value scan(const Range&, Value before, bool is_final) of the parts: gives what is before the next part, and writes its own
// results if is_final; a part may be seen twice. Value combine(Value, Value) as above. Gives the whole. Of the partitioners
// oneTBB takes simple and auto.
template <detail::tbb_range Range, class Value, class Scan, class Combine,
          class Partitioner = tbb::auto_partitioner>
detail::guarded<task<Value>, Scan, Combine> parallel_scan(Range range, Value identity, Scan&& scan,
                                                          Combine&& combine,
                                                          Partitioner&& partitioner = {}) {
  return detail::scan_parts<Range, Value, detail::kept<Scan>, detail::kept<Combine>,
                            detail::kept_partitioner<Partitioner>>(
      std::move(range), std::move(identity), std::forward<Scan>(scan),
      std::forward<Combine>(combine), std::forward<Partitioner>(partitioner));
}

// A stop is seen between oneTBB's steps, of which the first goes over all elements; they are then in some order. A
// comparison that throws leaves values that nobody specifies, as std::sort does.
template <std::random_access_iterator Iterator, class Compare = std::less<>>
  requires std::strict_weak_order<const std::remove_cvref_t<Compare>&,
                                  std::iter_reference_t<Iterator>, std::iter_reference_t<Iterator>>
detail::guarded<task<>, Compare> parallel_sort(Iterator first, Iterator last,
                                               Compare&& compare = {}) {
  return detail::sort_range<Iterator, detail::kept<Compare>>(first, last,
                                                             std::forward<Compare>(compare));
}

// Each function once, side by side.
template <class... F>
  requires(sizeof...(F) != 0 && (std::invocable<const std::remove_cvref_t<F>&> && ...))
detail::guarded<task<>, F...> parallel_invoke(F&&... functions) {
  return detail::invoke_all<detail::kept<F>...>(std::forward<F>(functions)...);
}

}  // namespace coppice::inline v0
