// What does a timer cost that fires, and one that is given up, and how late does one fire?
#include <algorithm>
#include <random>
#include <semaphore>
#include <thread>

#include "bench/executor/submitter.h"

namespace bench::executor_suite {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Where a crowd of sleepers says how far it has come.
class crowd {
 public:
  explicit crowd(std::size_t size) noexcept : size_(size) {}

  void falls_asleep() noexcept { asleep_.fetch_add(1, std::memory_order_relaxed); }
  bool all_asleep() const noexcept { return asleep_.load(std::memory_order_relaxed) == size_; }

  // Whose frame goes: the last one tells.
  void leaves() noexcept {
    if (gone_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
      all_gone_.release();
    }
  }
  void wait_until_gone() noexcept { all_gone_.acquire(); }

  void woke_early() noexcept { early_.fetch_add(1, std::memory_order_relaxed); }
  bool none_early() const noexcept { return early_.load(std::memory_order_relaxed) == 0; }

 private:
  const std::size_t size_;
  std::atomic<std::size_t> asleep_{0};
  std::atomic<std::size_t> gone_{0};
  std::atomic<std::size_t> early_{0};
  std::binary_semaphore all_gone_{0};
};

class member {
 public:
  explicit member(crowd& of) noexcept : of_(of) {}
  member(const member&) = delete;
  member& operator=(const member&) = delete;
  ~member() { of_.leaves(); }

 private:
  crowd& of_;
};

task<void> sleeper(clock::time_point due, crowd& all) {
  const member one(all);
  all.falls_asleep();
  co_await coppice::sleep_until(due);
  if (clock::now() < due) {
    all.woke_early();
  }
}

using handles = std::vector<coppice::task_handle<>>;

// Until all are asleep, in nanoseconds.
task<double> create(executor& on, const std::vector<clock::time_point>& due, crowd& all,
                    handles& created) {
  const auto begun = clock::now();
  for (const clock::time_point each : due) {
    created.push_back(on.spawn(sleeper(each, all)));
  }
  while (!all.all_asleep()) {
    co_await coppice::yield();
  }
  co_return ns_since(begun);
}

task<void> cancel(handles& of) {
  for (const coppice::task_handle<>& each : of) {
    each.cancel();
  }
  co_return;
}

constexpr std::size_t sleepers = 100'000;

// Times from `first` on, within a millisecond, in no order.
std::vector<clock::time_point> spread(clock::time_point first, std::size_t count) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int> later_ns(0, 1'000'000);
  std::vector<clock::time_point> due(count);
  std::ranges::generate(due, [&] { return first + std::chrono::nanoseconds(later_ns(random)); });
  return due;
}

struct cost {
  double create_ns;
  double end_ns;
};

cost create_and_cancel(executor& on, std::size_t count) {
  crowd all(count);
  handles created;
  created.reserve(count);
  const double create_ns =
      on.block_on(create(on, spread(clock::now() + std::chrono::hours(1), count), all, created));
  const auto begun = clock::now();
  on.block_on(cancel(created));
  all.wait_until_gone();
  const double cancel_ns = ns_since(begun);
  on.wait_until_idle();
  require(std::ranges::all_of(created, [](const auto& each) { return each.result().cancelled(); }),
          "a sleeper that was cancelled says otherwise");
  return {create_ns, cancel_ns};
}

numbers created_and_cancelled(const setting& at) {
  warm_executor on(at.workers);
  const std::size_t count = at.scaled(sleepers);
  create_and_cancel(on, count);
  const cost of_all = create_and_cancel(on, count);
  const auto each = static_cast<double>(count);
  return numbers((of_all.create_ns + of_all.end_ns) / each)
      .add("ns_create", of_all.create_ns / each)
      .add("ns_cancel", of_all.end_ns / each);
}

// All due within a millisecond: from then until the last has gone.
numbers created_and_fired(const setting& at) {
  warm_executor on(at.workers);
  const std::size_t count = at.scaled(sleepers);
  const cost of_all = create_and_cancel(on, count);
  const auto creating = std::chrono::nanoseconds(static_cast<std::int64_t>(of_all.create_ns));
  const clock::time_point first = clock::now() + 2 * creating + milliseconds(50);
  crowd all(count);
  handles created;
  created.reserve(count);
  const double create_ns = on.block_on(create(on, spread(first, count), all, created));
  require(clock::now() < first, "the sleepers were due before they slept: the machine is too busy");
  all.wait_until_gone();
  const double fire_ns = ns_since(first);
  on.wait_until_idle();
  require(all.none_early(), "a sleeper woke early");
  require(std::ranges::all_of(created, [](const auto& each) { return each.result().completed(); }),
          "a sleeper has not ended well");
  const auto each = static_cast<double>(count);
  return numbers((create_ns + fire_ns) / each)
      .add("ns_create", create_ns / each)
      .add("ns_fire", fire_ns / each);
}

constexpr auto nap = microseconds(400);

task<bool> oversleep(samples& late) {
  pauses between(nap);
  bool early = false;
  while (!late.full()) {
    const clock::time_point due = clock::now() + between.next();
    co_await coppice::sleep_until(due);
    const clock::duration by = clock::now() - due;
    early = early || by < clock::duration::zero();
    late.add(by);
  }
  co_return !early;
}

numbers late_idle(const setting& at) {
  warm_executor on(at.workers);
  samples late(at.scaled(2'000));
  require(on.block_on(oversleep(late)), "a sleeper woke early");
  return distribution(late);
}

numbers late_loaded(const setting& at) {
  warm_executor on(at.workers);
  fork_join_load load(on);
  samples late(at.scaled(2'000));
  outrank_workers();
  require(on.block_on(oversleep(late)), "a sleeper woke early");
  load.stop();
  require(load.right(), "fork-join gave a wrong result meanwhile");
  return distribution(late);
}

// What the system gives a thread that sleeps: no timer of ours fires earlier on an idle machine.
numbers late_thread(const setting& at) {
  samples late(at.scaled(2'000));
  pauses between(nap);
  while (!late.full()) {
    const clock::time_point due = clock::now() + between.next();
    std::this_thread::sleep_until(due);
    late.add(clock::now() - due);
  }
  return distribution(late);
}

constexpr row rows[] = {
    {"timer/created_and_fired", 1, &created_and_fired},
    {"timer/created_and_fired", 2, &created_and_fired},
    {"timer/created_and_cancelled", 1, &created_and_cancelled},
    {"timer/created_and_cancelled", 2, &created_and_cancelled},
    {"timer/lateness/idle", 2, &late_idle},
    {"timer/lateness/thread", 1, &late_thread},
    {"timer/lateness/loaded", 1, &late_loaded},
    {"timer/lateness/loaded", 2, &late_loaded},
};

}  // namespace

std::span<const row> timer_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
