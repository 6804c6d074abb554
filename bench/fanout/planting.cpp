// Leaves, and the groups they lie in.
#include "bench/fanout/planting.h"

#include <chrono>

namespace bench::fanout_suite {
namespace {

// The primitive lies in the frame, as where a task waits for an answer of its own.
task<> at_own_event(crowd& all, std::size_t which, never&) {
  const crowd::mark here(all, which);
  coppice::event own;
  all.falls_asleep();
  co_await own.wait();
}
task<> at_own_channel(crowd& all, std::size_t which, never&) {
  const crowd::mark here(all, which);
  coppice::channel<int> own;
  all.falls_asleep();
  static_cast<void>(co_await own.receive());
}

task<> at_timer(crowd& all, std::size_t which, never&) {
  const crowd::mark here(all, which);
  all.falls_asleep();
  co_await coppice::sleep_for(std::chrono::hours(1));
}

// Or all wait for the same.
task<> at_event(crowd& all, std::size_t which, never& common) {
  const crowd::mark here(all, which);
  all.falls_asleep();
  co_await common.event.wait();
}
task<> at_channel(crowd& all, std::size_t which, never& common) {
  const crowd::mark here(all, which);
  all.falls_asleep();
  static_cast<void>(co_await common.channel.receive());
}

task<> gather_leaves(const planting& of, const group& from) {
  co_await coppice::gather_n(
      from.leaves, [&](std::size_t i) { return of.leaf(of.all, from.first_leaf + i, of.common); });
}

void add_leaves(const planting& of, const group& from, task_group& into) {
  if (of.gathered) {
    into.spawn(gather_leaves(of, from));
    return;
  }
  for (std::size_t i = 0; i != from.leaves; ++i) {
    into.spawn(of.leaf(of.all, from.first_leaf + i, of.common));
  }
}

// Its body opens the last of the groups in it, as a function calls another; to the others it gives a task each.
task<> grow(const planting& of, std::size_t which) {
  const group& from = of.groups[which];
  const auto body = [&](task_group& here) -> task<> {
    add_leaves(of, from, here);
    if (from.groups.empty()) {
      co_return;
    }
    for (std::size_t i = 0; i + 1 != from.groups.size(); ++i) {
      here.spawn(grow(of, from.groups[i]));
    }
    co_await grow(of, from.groups.back());
  };
  co_await coppice::with_group(body);
}

}  // namespace

leaf_task leaf_of(source kind) noexcept {
  switch (kind) {
    case source::timer:
      return &at_timer;
    case source::own_channel:
      return &at_own_channel;
    case source::channel:
      return &at_channel;
    case source::own_event:
      return &at_own_event;
    case source::event:
      break;
  }
  return &at_event;
}

void planting::fill(task_group& root) const {
  if (frames == layout::scattered) {
    scatter(all.size(), [&](std::size_t i) { return leaf(all, i, common); });
  }
  add_leaves(*this, groups[0], root);
  for (const std::size_t inner : groups[0].groups) {
    root.spawn(grow(*this, inner));
  }
}

}  // namespace bench::fanout_suite
