// How soon are coroutines of Boost.Asio gone that wait in parallel groups, when the outermost gets a cancellation signal?
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>

#include "bench/fanout/row.h"
#include "bench/fanout/scene.h"
#include "bench/fanout/tree.h"

namespace bench::fanout_suite {
namespace {

namespace asio = boost::asio;
using asio::awaitable;

// A timer whose time never comes stands for an event there. No exception is thrown when it is cancelled.
awaitable<void> leaf(crowd& all, std::size_t which) {
  const crowd::mark here(all, which);
  asio::steady_timer never(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  all.falls_asleep();
  co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
}

// One operation for each leaf and each group in it.
awaitable<void> grow(const tree& groups, std::size_t which, crowd& all) {
  const auto on = co_await asio::this_coro::executor;
  const auto later = [&](awaitable<void> one) {
    return asio::co_spawn(on, std::move(one), asio::deferred);
  };
  const group& here = groups[which];
  std::vector<decltype(later(leaf(all, 0)))> operations;
  operations.reserve(here.leaves + here.groups.size());
  for (std::size_t i = 0; i != here.leaves; ++i) {
    operations.push_back(later(leaf(all, here.first_leaf + i)));
  }
  for (const std::size_t inner : here.groups) {
    operations.push_back(later(grow(groups, inner, all)));
  }
  auto together = asio::experimental::make_parallel_group(std::move(operations));
  co_await together.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
}

// All of it on the calling thread: a parallel group is for one thread at a time.
fan_out cancel(const tree& groups, crowd& all) {
  fan_out one;
  asio::io_context on(1);
  asio::cancellation_signal stop;
  const auto ended = [&](const std::exception_ptr&) { one.joined = ticks_now(); };
  asio::co_spawn(on, grow(groups, 0, all), asio::bind_cancellation_slot(stop.slot(), ended));
  on.poll();
  require(all.all_asleep(), "a leaf does not wait");
  one.begun = ticks_now();
  stop.emit(asio::cancellation_type::terminal);
  one.returned = ticks_now();
  on.run();
  return one;
}

numbers measure(const scene& at, const setting& how) {
  const tree groups = make_tree(at);
  crowd all(at.leaves);
  return all_three(repeat(at, how, all, [&] { return cancel(groups, all); }));
}

}  // namespace

std::span<const row> asio_rows() noexcept {
  return rows_of<headlines<contender::asio>, &measure>;
}

}  // namespace bench::fanout_suite
