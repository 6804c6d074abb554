// What would a cancel cost that had nothing to find, ask, count or tell: a loop that destroys suspended frames?
#include <coroutine>

#include "bench/supervision/crowd.h"
#include "bench/support/bare_frame.h"
#include "bench/support/opaque.h"

namespace bench::supervision_suite {
namespace {

BENCH_OPAQUE bare_frame waiting(crowd& all, std::size_t which) {
  const crowd::mark here(all, which);
  co_await std::suspend_always();
}

// Keeps its worker from one end to the other.
task<> destroy_part(crowd& all, std::size_t from, std::size_t to, line_up& start, ticks& begun) {
  std::vector<bare_frame> frames;
  frames.reserve(to - from);
  for (std::size_t i = from; i != to; ++i) {
    frames.push_back(waiting(all, i));
  }
  const ticks mine = start.wait();
  if (from == 0) {
    begun = mine;
  }
  frames.clear();
  co_return;
}

task<event> destroy_all(crowd& all, unsigned parts) {
  event one;
  line_up start(parts);
  const auto body = [&](task_group& workers) -> task<> {
    for (unsigned i = 0; i != parts; ++i) {
      workers.spawn(destroy_part(all, all.size() * i / parts, all.size() * (i + 1) / parts, start,
                                 one.begun));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

// With two threads one may see the other's start a little late.
numbers measure(const setting& at, std::size_t leaves, std::size_t times) {
  runtime on(options_for(at, others::search));
  crowd all(leaves);
  events seen(at.scaled(times));
  on.block_on(destroy_all(all, at.workers));
  for (std::size_t i = at.scaled(times); i != 0; --i) {
    event one = on.block_on(destroy_all(all, at.workers));
    for (const ticks each : all.observed()) {
      one.begun = std::min(one.begun, each);
    }
    one.returned = one.begun;
    seen.add(one, all);
  }
  return seen.observed();
}

template <std::size_t Leaves, std::size_t Times>
numbers limit(const setting& at) {
  return measure(at, Leaves, Times);
}

numbers limit_million(const setting& at) {
  return measure(at, at.scaled(1'000'000), 5);
}

constexpr row rows[] = {
    {"limit/flat/1000", 1, &limit<1'000, 500>},    {"limit/flat/1000", 2, &limit<1'000, 500>},
    {"limit/flat/10000", 1, &limit<10'000, 100>},  {"limit/flat/10000", 2, &limit<10'000, 100>},
    {"limit/flat/100000", 1, &limit<100'000, 20>}, {"limit/flat/100000", 2, &limit<100'000, 20>},
    {"limit/flat/1000000", 2, &limit_million},
};

}  // namespace

std::span<const row> limit_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
