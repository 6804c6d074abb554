// How long until something from outside runs: on sleeping workers, on busy ones, and beside tasks that
// would never let go?
#include "bench/executor/submitter.h"

namespace bench::executor_suite {
namespace {

using timed = clock::duration (*)(executor&);

template <timed TimeOne>
numbers idle(const setting& at) {
  warm_executor on(at.workers);
  samples latencies = submit(on, TimeOne, at.scaled(2'000));
  return distribution(latencies);
}

template <timed TimeOne>
numbers loaded(const setting& at) {
  warm_executor on(at.workers);
  fork_join_load load(on);
  samples latencies = submit(on, TimeOne, at.scaled(2'000));
  load.stop();
  require(load.right(), "fork-join gave a wrong result meanwhile");
  return distribution(latencies);
}

// One that begins anew for ever, by spawning itself; and one that always has something ready.
struct hogs {
  std::atomic<bool> stopping{false};
  std::atomic<std::uint64_t> turns{0};
};

task<void> spawn_itself(executor& on, hogs& all) {
  all.turns.fetch_add(1, std::memory_order_relaxed);
  if (!all.stopping.load(std::memory_order_relaxed)) {
    on.spawn(spawn_itself(on, all));
  }
  co_return;
}

task<void> yield_for_ever(executor&, hogs& all) {
  while (!all.stopping.load(std::memory_order_relaxed)) {
    all.turns.fetch_add(1, std::memory_order_relaxed);
    co_await coppice::yield();
  }
}

template <task<void> (*Hog)(executor&, hogs&)>
numbers beside_hogs(const setting& at) {
  warm_executor on(at.workers);
  hogs all;
  for (unsigned i = 0; i != at.workers; ++i) {
    on.spawn(Hog(on, all));
  }
  const auto begun = clock::now();
  samples latencies = submit(on, &time_spawn, at.scaled(2'000));
  const double ns = ns_since(begun);
  all.stopping.store(true, std::memory_order_relaxed);
  on.wait_until_idle();
  const coppice::task_counts counts = on.counts();
  require(counts.spawned == counts.completed, "a task has not ended well");
  return distribution(latencies).add(
      "ns_hog_turn",
      ns * at.workers / static_cast<double>(all.turns.load(std::memory_order_relaxed)));
}

constexpr row rows[] = {
    {"foreign/spawn/idle", 2, &idle<&time_spawn>},
    {"foreign/spawn/loaded", 1, &loaded<&time_spawn>},
    {"foreign/spawn/loaded", 2, &loaded<&time_spawn>},
    {"foreign/schedule/idle", 2, &idle<&time_schedule>},
    {"foreign/schedule/loaded", 1, &loaded<&time_schedule>},
    {"foreign/schedule/loaded", 2, &loaded<&time_schedule>},
    {"foreign/spawn/beside_spawning_hog", 1, &beside_hogs<&spawn_itself>},
    {"foreign/spawn/beside_spawning_hog", 2, &beside_hogs<&spawn_itself>},
    {"foreign/spawn/beside_yielding_hog", 1, &beside_hogs<&yield_for_ever>},
    {"foreign/spawn/beside_yielding_hog", 2, &beside_hogs<&yield_for_ever>},
};

}  // namespace

std::span<const row> foreign_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
