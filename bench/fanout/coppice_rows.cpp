// How soon after a cancel is the last of its leaves gone, and when does the host go on?
#include <atomic>
#include <chrono>
#include <thread>

#include "bench/fanout/load.h"
#include "bench/fanout/planting.h"
#include "bench/fanout/row.h"

namespace bench::fanout_suite {
namespace {

// The canceller is the body of the outermost group, on a worker.
task<fan_out> cancel_here(const planting& of, others doing) {
  fan_out one;
  const auto body = [&](task_group& root) -> task<> {
    of.fill(root);
    co_await until_asleep(of.all);
    let_others(doing);
    one.begun = ticks_now();
    root.cancel();
    one.returned = ticks_now();
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

// A foreign thread cancels, which the body has told of its group.
class foreign_canceller {
 public:
  fan_out cancel(runtime& on, const planting& of) {
    std::thread foreign([this] { call(); });
    on.block_on(wait(of));
    foreign.join();
    return one_;
  }

 private:
  task<> wait(const planting& of) {
    const auto body = [&](task_group& root) -> task<> {
      of.fill(root);
      co_await until_asleep(of.all);
      scope_ = root.handle();
      open_.store(true, std::memory_order_release);
      co_await coppice::sleep_for(std::chrono::hours(1));
    };
    co_await coppice::with_group(body);
    one_.joined = ticks_now();
  }

  // By then the workers have fallen asleep, unless they are to search for longer.
  void call() {
    while (!open_.load(std::memory_order_acquire)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    one_.begun = ticks_now();
    scope_.cancel();
    one_.returned = ticks_now();
  }

  coppice::scope_handle scope_;
  std::atomic<bool> open_{false};
  fan_out one_;  // Two threads write its members.
};

// Every worker computes, and one of them cancels.
task<fan_out> cancel_under_load(const planting& of, burden kind, unsigned workers) {
  fan_out one;
  computations load(kind);
  const auto outer = [&](task_group& computing) -> task<> {
    const auto body = [&](task_group& root) -> task<> {
      of.fill(root);
      co_await until_asleep(of.all);
      for (unsigned i = 1; i != workers; ++i) {
        computing.spawn(load.run());
      }
      while (load.rounds() < 2 * (workers - 1)) {
        co_await coppice::yield();
      }
      computing.spawn(load.run_and_cancel(root, one));
      co_await coppice::sleep_for(std::chrono::hours(1));
    };
    co_await coppice::with_group(body);
    one.joined = ticks_now();
    load.end();
  };
  co_await coppice::with_group(outer);
  co_return one;
}

fan_out cancel(runtime& on, const planting& of, const scene& at) {
  if (at.load != burden::idle) {
    return on.block_on(cancel_under_load(of, at.load, on.workers()));
  }
  if (at.canceller == caller::foreign) {
    foreign_canceller one;
    return one.cancel(on, of);
  }
  return on.block_on(cancel_here(of, at.workers));
}

numbers measure(const scene& at, const setting& how) {
  runtime on(options_for(how, at.workers));
  const tree groups = make_tree(at);
  crowd all(at.leaves);
  never common;
  const bool gathered = at.system == contender::coppice_gather;
  const planting of = {groups, all, common, leaf_of(at.leaf), at.frames, gathered};
  return all_three(repeat(at, how, all, [&] { return cancel(on, of, at); }));
}

constexpr contender gather = contender::coppice_gather;

constexpr scene scenes[] = {
    {.leaves = 1'000},
    {.leaves = 10'000},
    {.leaves = 100'000},
    {.leaves = 1'000'000},
    {.shape = form::wide, .leaves = 1'000},
    {.shape = form::wide, .leaves = 10'000},
    {.shape = form::wide, .leaves = 100'000},
    {.shape = form::wide, .leaves = 1'000'000},
    {.shape = form::deep, .leaves = 1'000},
    {.shape = form::deep, .leaves = 10'000},
    {.shape = form::random, .leaves = 1'000},
    {.shape = form::random, .leaves = 10'000},
    {.shape = form::random, .leaves = 100'000},
    {.shape = form::random, .leaves = 1'000'000},

    {.leaves = 10'000, .leaf = source::timer},
    {.leaves = 100'000, .leaf = source::timer},
    {.leaves = 10'000, .leaf = source::channel},
    {.leaves = 100'000, .leaf = source::channel},
    {.leaves = 10'000, .leaf = source::own_event},
    {.leaves = 100'000, .leaf = source::own_event},
    {.leaves = 10'000, .leaf = source::own_channel},
    {.leaves = 100'000, .leaf = source::own_channel},

    {.leaves = 1'000, .workers = others::sleep},
    {.leaves = 10'000, .workers = others::sleep},
    {.leaves = 100'000, .workers = others::sleep},

    {.leaves = 1'000, .canceller = caller::foreign},
    {.leaves = 10'000, .canceller = caller::foreign},
    {.leaves = 100'000, .canceller = caller::foreign},
    {.leaves = 1'000, .workers = others::sleep, .canceller = caller::foreign},
    {.leaves = 10'000, .workers = others::sleep, .canceller = caller::foreign},
    {.leaves = 100'000, .workers = others::sleep, .canceller = caller::foreign},

    {.leaves = 10'000, .frames = layout::scattered},
    {.leaves = 100'000, .frames = layout::scattered},

    {.leaves = 1'000, .load = burden::busy},
    {.leaves = 10'000, .load = burden::busy},
    {.leaves = 1'000, .load = burden::fork_join},
    {.leaves = 10'000, .load = burden::fork_join},

    {.system = gather, .leaves = 1'000},
    {.system = gather, .leaves = 10'000},
    {.system = gather, .leaves = 100'000},
    {.system = gather, .leaves = 1'000'000},
    {.system = gather, .shape = form::wide, .leaves = 10'000},
    {.system = gather, .shape = form::random, .leaves = 10'000},
    {.system = gather, .leaves = 10'000, .leaf = source::timer},
    {.system = gather, .leaves = 100'000, .leaf = source::timer},
    {.system = gather, .leaves = 10'000, .leaf = source::channel},
    {.system = gather, .leaves = 100'000, .leaf = source::channel},
    {.system = gather, .leaves = 1'000, .workers = others::sleep},
    {.system = gather, .leaves = 10'000, .workers = others::sleep},
    {.system = gather, .leaves = 10'000, .frames = layout::scattered},
    {.system = gather, .leaves = 100'000, .frames = layout::scattered},
};

}  // namespace

std::span<const row> coppice_rows() noexcept {
  return rows_of<scenes, &measure>;
}

}  // namespace bench::fanout_suite
