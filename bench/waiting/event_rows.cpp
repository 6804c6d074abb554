// How long until everybody has gone on who waits at an event, and how long would a loop take that resumes as many?
#include <coppice/event.h>

#include "bench/support/crowd.h"
#include "bench/support/fan_out.h"
#include "bench/support/limit.h"
#include "bench/waiting/row.h"

namespace bench::waiting_suite {
namespace {

constexpr std::size_t waiters = 10'000;

// Until the last one is gone, for each of them. Those of an event have ended then, and their frames are freed.
numbers for_each_waiter(const fan_outs& seen) {
  return numbers(seen.ns(&spread::last) / waiters)
      .add("ns_p50", seen.ns(&spread::p50))
      .add("ns_p99", seen.ns(&spread::p99))
      .add("ns_p99_9", seen.ns(&spread::p99_9))
      .add("ns_p99_9_worst", seen.ns(&spread::p99_9, 100))
      .add("ns_last", seen.ns(&spread::last))
      .add("ns_join", seen.ns(&spread::joined))
      .add("ns_join_least", seen.ns(&spread::joined, 0))
      .add("events", static_cast<double>(seen.count()));
}

task<> waiter(crowd& all, std::size_t which, coppice::event& to_come) {
  const crowd::mark here(all, which);
  all.falls_asleep();
  co_await to_come.wait();
}

// By the body of their group, on a worker; the others search for work meanwhile.
task<fan_out> set_once(crowd& all) {
  fan_out one;
  coppice::event to_come;
  const auto body = [&](task_group& group) -> task<> {
    for (std::size_t i = 0; i != all.size(); ++i) {
      group.spawn(waiter(all, i, to_come));
    }
    co_await until_asleep(all);
    one.begun = ticks_now();
    to_come.set();
    one.returned = ticks_now();
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

// Once to warm up.
template <class Once>
numbers repeat(const setting& at, crowd& all, Once once) {
  fan_outs seen;
  once();
  for (std::size_t i = at.scaled(100); i != 0; --i) {
    all.begin_again();
    seen.add(once(), all.observed());
  }
  return for_each_waiter(seen);
}

numbers set_event(const setting& at) {
  runtime on(options_for(at, others::search));
  crowd all(waiters);
  return repeat(at, all, [&] { return on.block_on(set_once(all)); });
}

numbers limit(const setting& at) {
  runtime on(options_for(at, others::search));
  crowd all(waiters);
  return repeat(at, all, [&] { return resume_all(on, all, layout::ordered); });
}

constexpr row rows[] = {
    {"coppice/event_10000", 1, &set_event},
    {"coppice/event_10000", 2, &set_event},
    {"limit/event_10000", 1, &limit},
    {"limit/event_10000", 2, &limit},
};

}  // namespace

std::span<const row> event_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
