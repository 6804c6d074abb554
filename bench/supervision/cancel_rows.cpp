// How long does the caller of cancel() wait for it?
#include <chrono>
#include <thread>

#include "bench/supervision/crowd.h"

namespace bench::supervision_suite {
namespace {

// By the body of the group, on a worker.
task<event> cancel_here(crowd& all) {
  event one;
  const auto body = [&](task_group& leaves) -> task<> {
    for (std::size_t i = 0; i != all.size(); ++i) {
      leaves.spawn(sleeper(all, i));
    }
    co_await until_asleep(all);
    one.begun = ticks_now();
    leaves.cancel();
    one.returned = ticks_now();
  };
  co_await coppice::with_group(body);
  one.joined = ticks_now();
  co_return one;
}

// By a foreign thread, to which the body has told its handle.
class foreign_cancel {
 public:
  task<event> wait_for(crowd& all) {
    event one;
    const auto body = [&](task_group& leaves) -> task<> {
      for (std::size_t i = 0; i != all.size(); ++i) {
        leaves.spawn(sleeper(all, i));
      }
      co_await until_asleep(all);
      scope_ = leaves.handle();
      open_.store(true, std::memory_order_release);
      co_await coppice::sleep_for(std::chrono::hours(1));
    };
    co_await coppice::with_group(body);
    one.joined = ticks_now();
    co_return one;
  }

  // By then the workers have fallen asleep.
  void call() {
    while (!open_.load(std::memory_order_acquire)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    begun_ = ticks_now();
    scope_.cancel();
    returned_ = ticks_now();
  }

  event times(event one) const noexcept {
    one.begun = begun_;
    one.returned = returned_;
    return one;
  }

 private:
  coppice::scope_handle scope_;
  std::atomic<bool> open_{false};
  ticks begun_ = 0;
  ticks returned_ = 0;
};

template <std::size_t Leaves, std::size_t Times, others Doing>
numbers from_worker(const setting& at) {
  runtime on(options_for(at, Doing));
  crowd all(Leaves);
  events seen(at.scaled(Times));
  on.block_on(cancel_here(all));
  for (std::size_t i = at.scaled(Times); i != 0; --i) {
    all.begin_again();
    const event one = on.block_on(cancel_here(all));
    seen.add(one, all);
  }
  return seen.calls();
}

events cancel_from_outside(const setting& at, std::size_t leaves, std::size_t times) {
  runtime on(options_for(at, others::sleep));
  crowd all(leaves);
  events seen(at.scaled(times));
  for (std::size_t i = at.scaled(times); i != 0; --i) {
    all.begin_again();
    foreign_cancel one;
    std::thread foreign([&] { one.call(); });
    const event joined = on.block_on(one.wait_for(all));
    foreign.join();
    seen.add(one.times(joined), all);
  }
  return seen;
}

template <std::size_t Leaves, std::size_t Times>
numbers from_outside(const setting& at) {
  return cancel_from_outside(at, Leaves, Times).calls();
}

// The same, seen by the leaves.
template <std::size_t Leaves, std::size_t Times>
numbers observed_from_outside(const setting& at) {
  return cancel_from_outside(at, Leaves, Times).observed();
}

constexpr row rows[] = {
    {"cancel/worker/1000", 1, &from_worker<1'000, 1'000, others::search>},
    {"cancel/worker/1000", 2, &from_worker<1'000, 1'000, others::search>},
    {"cancel/worker/10000", 1, &from_worker<10'000, 100, others::search>},
    {"cancel/worker/10000", 2, &from_worker<10'000, 100, others::search>},
    {"cancel/worker/100000", 1, &from_worker<100'000, 20, others::search>},
    {"cancel/worker/100000", 2, &from_worker<100'000, 20, others::search>},
    {"cancel/foreign_all_asleep/1000", 2, &from_outside<1'000, 200>},
    {"cancel/foreign_all_asleep/10000", 2, &from_outside<10'000, 100>},
    {"cancel/foreign_all_asleep/100000", 2, &from_outside<100'000, 20>},
    {"fan_out/foreign_all_asleep/1000", 2, &observed_from_outside<1'000, 200>},
    {"fan_out/foreign_all_asleep/100000", 2, &observed_from_outside<100'000, 20>},
};

}  // namespace

std::span<const row> cancel_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
