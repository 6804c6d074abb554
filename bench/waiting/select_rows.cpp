// What does it cost to wait for one of several?
#include <coppice/channel.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/select.h>
#include <coppice/sleep.h>

#include "bench/waiting/traffic.h"

namespace bench::waiting_suite {
namespace {

using coppice::channel;
using coppice::runtime;
using coppice::task;
using coppice::task_group;

struct two_channels {
  channel<item> left{capacity};
  channel<item> right{capacity};
};

// One task, which never waits: the item lies now in the one, now in the other.
task<> select_from_own(two_channels& both, std::size_t items, tally& all) {
  for (std::size_t i = 0; i != items; ++i) {
    co_await (i % 2 == 0 ? both.left : both.right).send(item{static_cast<std::uint32_t>(i), 0});
    const auto each = co_await coppice::select(both.left.receive(), both.right.receive());
    require(each.index() == i % 2, "select gave the channel that was empty");
    all.add(each.index() == 0 ? *std::get<0>(each) : *std::get<1>(each));
  }
}

task<> send_part(channel<item>& to, part mine) {
  for (std::size_t i = mine.from; i != mine.until; ++i) {
    co_await to.send(item::sent_here(i));
  }
}

task<> select_from_two(two_channels& both, std::size_t items, tally& all) {
  for (std::size_t i = 0; i != items; ++i) {
    const auto each = co_await coppice::select(both.left.receive(), both.right.receive());
    all.add(each.index() == 0 ? *std::get<0>(each) : *std::get<1>(each));
  }
}

// The time never comes.
task<> receive_with_deadline(two_channels& both, std::size_t items, tally& all) {
  for (std::size_t i = 0; i != items; ++i) {
    const auto each =
        co_await coppice::select(both.left.receive(), coppice::sleep_for(std::chrono::hours(1)));
    all.add(*std::get<0>(each));
  }
}

task<> from_two(two_channels& both, std::size_t items, tally& all) {
  const auto body = [&](task_group& group) -> task<> {
    group.spawn(send_part(both.left, part::of(items, 2, 0)));
    group.spawn(send_part(both.right, part::of(items, 2, 1)));
    co_await select_from_two(both, items, all);
  };
  co_await coppice::with_group(body);
}

task<> with_deadline(two_channels& both, std::size_t items, tally& all) {
  const auto body = [&](task_group& group) -> task<> {
    group.spawn(send_part(both.left, part::of(items, 1, 0)));
    co_await receive_with_deadline(both, items, all);
  };
  co_await coppice::with_group(body);
}

template <task<> (*Pass)(two_channels&, std::size_t, tally&)>
numbers measure(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  return median_of_rounds(at, [&](std::size_t items) {
    two_channels both;
    tally all;
    const auto begun = clock::now();
    on.block_on(Pass(both, items, all));
    const double ns = ns_since(begun);
    all.require_all(items);
    return ns;
  });
}

constexpr row rows[] = {
    {"coppice/select_ready", 1, &measure<&select_from_own>},
    {"coppice/select_2_channels", 1, &measure<&from_two>},
    {"coppice/select_2_channels", 2, &measure<&from_two>},
    {"coppice/select_deadline", 1, &measure<&with_deadline>},
    {"coppice/select_deadline", 2, &measure<&with_deadline>},
};

}  // namespace

std::span<const row> select_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
