// How long until everybody has gone on who waits at an event, and how long would a loop take that resumes as many?
#include <coppice/event.h>

#include <algorithm>
#include <coroutine>
#include <string_view>

#include "bench/supervision/crowd.h"
#include "bench/support/bare_frame.h"
#include "bench/support/opaque.h"
#include "bench/waiting/row.h"

namespace bench::waiting_suite {
namespace {

using coppice::runtime;
using coppice::task;
using coppice::task_group;
using supervision_suite::crowd;
using supervision_suite::events;
using supervision_suite::others;

constexpr std::size_t waiters = 10'000;

using one_event = supervision_suite::event;

// Until the last one is gone, for each of them. Those of an event have ended then, and their frames are freed.
numbers for_each_waiter(events& seen) {
  numbers result = seen.observed();
  const auto named = result.values();
  const auto last = std::ranges::find(named, std::string_view("ns_last"), &numbers::named::name);
  numbers each(last->value / waiters);
  for (const auto& [name, value] : named) {
    each.add(name, value);
  }
  return each;
}

task<> waiter(crowd& all, std::size_t which, coppice::event& to_come) {
  const crowd::mark here(all, which);
  all.falls_asleep();
  co_await to_come.wait();
}

// By the body of their group, on a worker; the others search for work meanwhile.
task<one_event> set_once(crowd& all) {
  one_event one;
  coppice::event to_come;
  const auto body = [&](task_group& group) -> task<> {
    for (std::size_t i = 0; i != all.size(); ++i) {
      group.spawn(waiter(all, i, to_come));
    }
    co_await supervision_suite::until_asleep(all);
    one.begun = ticks_now();
    to_come.set();
    one.returned = ticks_now();
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

numbers fan_out(const setting& at) {
  runtime on(supervision_suite::options_for(at, others::search));
  crowd all(waiters);
  const std::size_t times = at.scaled(100);
  events seen(times);
  on.block_on(set_once(all));
  for (std::size_t i = 0; i != times; ++i) {
    all.begin_again();
    const one_event one = on.block_on(set_once(all));
    seen.add(one, all);
  }
  return for_each_waiter(seen);
}

// ---- The limit ----------------------------------------------------------------------------------

BENCH_OPAQUE bare_frame waiting(crowd& all, std::size_t which) {
  const crowd::mark here(all, which);
  co_await std::suspend_always();
}

// Keeps its worker from one end to the other.
task<> resume_part(crowd& all, std::size_t from, std::size_t until, line_up& start, ticks& begun) {
  constexpr std::size_t ahead = 4;
  std::vector<bare_frame> frames;
  frames.reserve(until - from);
  for (std::size_t i = from; i != until; ++i) {
    frames.push_back(waiting(all, i));
  }
  const ticks mine = start.wait();
  if (from == 0) {
    begun = mine;
  }
  for (std::size_t i = 0; i != frames.size(); ++i) {
    frames[std::min(i + ahead, frames.size() - 1)].fetch();
    frames[i].resume();
  }
  co_return;
}

task<one_event> resume_all(crowd& all, unsigned parts) {
  one_event one;
  line_up start(parts);
  const auto body = [&](task_group& workers) -> task<> {
    for (unsigned i = 0; i != parts; ++i) {
      workers.spawn(
          resume_part(all, all.size() * i / parts, all.size() * (i + 1) / parts, start, one.begun));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

// With two threads one may see the other's start a little late.
numbers limit(const setting& at) {
  runtime on(supervision_suite::options_for(at, others::search));
  crowd all(waiters);
  const std::size_t times = at.scaled(100);
  events seen(times);
  on.block_on(resume_all(all, at.workers));
  for (std::size_t i = 0; i != times; ++i) {
    one_event one = on.block_on(resume_all(all, at.workers));
    one.begun = std::min(one.begun, *std::ranges::min_element(all.observed()));
    one.returned = one.begun;
    seen.add(one, all);
  }
  return for_each_waiter(seen);
}

constexpr row rows[] = {
    {"coppice/event_10000", 1, &fan_out},
    {"coppice/event_10000", 2, &fan_out},
    {"limit/event_10000", 1, &limit},
    {"limit/event_10000", 2, &limit},
};

}  // namespace

std::span<const row> event_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
