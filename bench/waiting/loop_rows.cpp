// How long does a parallel loop of oneTBB run on once it is asked to stop, inside a task and by itself?
#include <coppice/cancel.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/tbb.h>
#include <coppice/time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_group.h>

#include "bench/support/samples.h"
#include "bench/waiting/row.h"

namespace bench::waiting_suite {
namespace {

using coppice::task;

constexpr std::int64_t endless = std::numeric_limits<std::int32_t>::max();

// A body of a microsecond; one of them, in the midst of the loop, asks for the stop.
class bodies {
 public:
  template <class Stop>
  void one(const Stop& stop) {
    const auto until = clock::now() + std::chrono::microseconds(1);
    if (called_.fetch_add(1, std::memory_order_relaxed) == 1000) {
      asked_ = clock::now();
      stop();
    }
    while (clock::now() < until) {
    }
  }

  std::chrono::nanoseconds since_asked() const { return clock::now() - asked_; }

 private:
  std::atomic<int> called_{0};
  clock::time_point asked_;
};

template <class Partitioner>
task<> stop_loops(std::size_t times, samples& stops) {
  for (std::size_t i = 0; i != times; ++i) {
    bodies all;
    const auto body = [&](coppice::task_group& group) -> task<> {
      const coppice::scope_handle around = group.handle();
      const auto one = [&](std::int64_t) { all.one([&] { around.cancel(); }); };
      Partitioner partitioner;
      co_await coppice::parallel_for(std::int64_t{0}, endless, one, partitioner);
    };
    co_await coppice::with_group(body);
    stops.add(all.since_asked());
  }
}

// The stop is that of a deadline, and both workers compute.
task<> miss_deadlines(std::size_t times, samples& stops) {
  for (std::size_t i = 0; i != times; ++i) {
    const auto due = coppice::now() + std::chrono::milliseconds(1);
    bodies all;
    const auto loop = [&]() -> task<> {
      const auto one = [&](std::int64_t) { all.one([] {}); };
      co_await coppice::parallel_for(std::int64_t{0}, endless, one);
    };
    const bool finished = co_await coppice::move_on_at(due, loop);
    require(!finished, "a loop without an end has come to it");
    stops.add(coppice::now() - due);
  }
}

template <task<> (*Loops)(std::size_t, samples&)>
numbers in_tasks(const setting& at) {
  coppice::runtime on({.threads = at.workers, .pin = "compact"});
  const std::size_t times = at.scaled(1000);
  samples stops(times);
  on.block_on(Loops(times, stops));
  return distribution(stops);
}

template <class Partitioner>
numbers by_itself(const setting& at) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, at.workers);
  const std::size_t times = at.scaled(200);
  samples stops(times);
  for (std::size_t i = 0; i != times; ++i) {
    bodies all;
    tbb::task_group_context around;
    Partitioner partitioner;
    // It has an end, for a chunk of static_partitioner's is not left before its own.
    tbb::parallel_for(
        std::int64_t{0}, std::int64_t{20'000},
        [&](std::int64_t) { all.one([&] { around.cancel_group_execution(); }); }, partitioner,
        around);
    stops.add(all.since_asked());
  }
  return distribution(stops);
}

constexpr row rows[] = {
    {"coppice/loop_stop_auto", 2, &in_tasks<&stop_loops<tbb::auto_partitioner>>},
    {"coppice/loop_stop_simple", 2, &in_tasks<&stop_loops<tbb::simple_partitioner>>},
    {"coppice/loop_stop_static", 2, &in_tasks<&stop_loops<tbb::static_partitioner>>},
    {"coppice/loop_stop_affinity", 2, &in_tasks<&stop_loops<tbb::affinity_partitioner>>},
    {"coppice/loop_deadline", 1, &in_tasks<&miss_deadlines>},
    {"coppice/loop_deadline", 2, &in_tasks<&miss_deadlines>},
    {"onetbb/loop_stop_auto", 2, &by_itself<tbb::auto_partitioner>},
    {"onetbb/loop_stop_simple", 2, &by_itself<tbb::simple_partitioner>},
    {"onetbb/loop_stop_static", 2, &by_itself<tbb::static_partitioner>},
    {"onetbb/loop_stop_affinity", 2, &by_itself<tbb::affinity_partitioner>},
};

}  // namespace

std::span<const row> loop_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
