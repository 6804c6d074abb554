// How long after a cancel is the last of its leaves gone, and when does the host go on?
#include "bench/supervision/crowd.h"

namespace bench::supervision_suite {
namespace {

// The canceller is the body of the group, on a worker.
task<event> cancel_flat(crowd& all, others doing) {
  event one;
  const auto body = [&](task_group& leaves) -> task<> {
    for (std::size_t i = 0; i != all.size(); ++i) {
      leaves.spawn(sleeper(all, i));
    }
    co_await until_asleep(all);
    let_others(doing);
    one.begun = ticks_now();
    leaves.cancel();
    one.returned = ticks_now();
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

// Groups in one another, with a leaf in each.
task<> level(crowd& all, std::size_t depth) {
  const auto body = [&all, depth](task_group& leaf) -> task<> {
    leaf.spawn(sleeper(all, depth));
    if (depth != 0) {
      co_await level(all, depth - 1);
    }
  };
  co_await coppice::with_group(body);
}

task<event> cancel_nested(crowd& all, others doing) {
  event one;
  const auto body = [&](task_group& outermost) -> task<> {
    outermost.spawn(level(all, all.size() - 1));
    co_await until_asleep(all);
    let_others(doing);
    one.begun = ticks_now();
    outermost.cancel();
    one.returned = ticks_now();
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

numbers measure(const setting& at, std::size_t leaves, std::size_t times, others doing,
                task<event> (*cancel)(crowd&, others)) {
  runtime on(options_for(at, doing));
  crowd all(leaves);
  events seen(at.scaled(times));
  for (std::size_t warm = 0; warm != 2; ++warm) {
    all.begin_again();
    on.block_on(cancel(all, doing));
  }
  for (std::size_t i = at.scaled(times); i != 0; --i) {
    all.begin_again();
    const event one = on.block_on(cancel(all, doing));
    seen.add(one, all);
  }
  return seen.observed();
}

template <std::size_t Leaves, std::size_t Times, others Doing>
numbers flat(const setting& at) {
  return measure(at, Leaves, Times, Doing, &cancel_flat);
}

template <others Doing>
numbers nested(const setting& at) {
  return measure(at, 1'000, 300, Doing, &cancel_nested);
}

// A tenth as many where it is to be quick.
numbers flat_million(const setting& at) {
  return measure(at, at.scaled(1'000'000), 5, others::search, &cancel_flat);
}

constexpr row rows[] = {
    {"fan_out/flat/1000", 1, &flat<1'000, 500, others::search>},
    {"fan_out/flat/1000", 2, &flat<1'000, 500, others::search>},
    {"fan_out/flat/1000/others_asleep", 2, &flat<1'000, 500, others::sleep>},
    {"fan_out/flat/10000", 1, &flat<10'000, 100, others::search>},
    {"fan_out/flat/10000", 2, &flat<10'000, 100, others::search>},
    {"fan_out/flat/10000/others_asleep", 2, &flat<10'000, 100, others::sleep>},
    {"fan_out/flat/100000", 1, &flat<100'000, 20, others::search>},
    {"fan_out/flat/100000", 2, &flat<100'000, 20, others::search>},
    {"fan_out/flat/100000/others_asleep", 2, &flat<100'000, 20, others::sleep>},
    {"fan_out/flat/1000000", 2, &flat_million},
    {"fan_out/nested/1000", 1, &nested<others::search>},
    {"fan_out/nested/1000", 2, &nested<others::search>},
};

}  // namespace

std::span<const row> fan_out_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
