// What does it cost to open a scope and to close it, beside awaiting its body without one?
#include <algorithm>

#include "bench/supervision/growing.h"
#include "bench/support/crowd.h"
#include "bench/support/opaque.h"
#include "bench/support/worker_time.h"

namespace bench::supervision_suite {
namespace {

BENCH_OPAQUE task<> count_one(std::size_t& bodies) {
  ++bodies;
  co_return;
}

task<> await_bodies(std::size_t times, std::size_t& bodies) {
  for (std::size_t i = 0; i != times; ++i) {
    co_await count_one(bodies);
  }
}
task<> open_scopes(std::size_t times, std::size_t& bodies) {
  const auto body = [&bodies] { return count_one(bodies); };
  for (std::size_t i = 0; i != times; ++i) {
    co_await coppice::with_scope(body);
  }
}
task<> open_groups(std::size_t times, std::size_t& bodies) {
  const auto body = [&bodies](task_group&) { return count_one(bodies); };
  for (std::size_t i = 0; i != times; ++i) {
    co_await coppice::with_group(body);
  }
}
task<> open_supervisors(std::size_t times, std::size_t& bodies) {
  const auto body = [&bodies](coppice::supervisor&) { return count_one(bodies); };
  for (std::size_t i = 0; i != times; ++i) {
    co_await coppice::with_supervisor(body);
  }
}

// Each worker's, all under one group.
double ns_each(runtime& on, const setting& at, task<> (*open)(std::size_t, std::size_t&)) {
  const std::size_t times = at.scaled(100'000);
  const auto work = [=]() -> task<> {
    std::size_t bodies = 0;
    co_await open(times, bodies);
    require(bodies == times, "a body has not run");
  };
  return on.block_on(time_on_every_worker(at.workers, work)) / static_cast<double>(times);
}

// In turns, the least of all rounds.
template <task<> (*Open)(std::size_t, std::size_t&)>
numbers open_and_close(const setting& at) {
  runtime on(options_for(at, others::search));
  double with = 1e18;
  double without = 1e18;
  for (int round = 0; round != 7; ++round) {
    with = std::min(with, ns_each(on, at, Open));
    without = std::min(without, ns_each(on, at, &await_bodies));
  }
  return numbers(with).add("ns_body", without).add("ns_added", with - without);
}

// So many scopes in one another.
task<> nest(std::size_t levels, std::size_t& bodies) {
  if (levels == 0) {
    co_return;
  }
  const auto body = [levels, &bodies] { return nest(levels - 1, bodies); };
  co_await coppice::with_scope(body);
  ++bodies;
}

constexpr row rows[] = {
    {"open_close/scope", 1, &open_and_close<&open_scopes>},
    {"open_close/scope", 2, &open_and_close<&open_scopes>},
    {"open_close/group", 1, &open_and_close<&open_groups>},
    {"open_close/group", 2, &open_and_close<&open_groups>},
    {"open_close/supervisor", 1, &open_and_close<&open_supervisors>},
    {"open_close/supervisor", 2, &open_and_close<&open_supervisors>},
};

}  // namespace

double ns_to_open_and_close(runtime& on, std::size_t size) {
  std::size_t bodies = 0;
  const double ns = on.block_on(time_on_worker(nest(size, bodies)));
  require(bodies == size, "a body has not run");
  return ns / static_cast<double>(size);
}

std::span<const row> scope_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
