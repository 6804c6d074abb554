// What does it cost to put a worker to sleep and to wake it, and what does one that sleeps cost?
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <semaphore>
#include <thread>

#include "bench/executor/tasks.h"
#include "bench/support/cpu_time.h"
#include "executor/parking.h"

namespace bench::executor_suite {
namespace {

// Two threads that wake each other and sleep, as two workers do.
class two_parked {
 public:
  void wait_for_turn(unsigned me) noexcept {
    while (turn_.load(std::memory_order_seq_cst) != me) {
      static_cast<void>(beds_.announce(me, false));
      if (turn_.load(std::memory_order_seq_cst) == me) {
        beds_.retract(me);
      } else {
        beds_.wait(me, clock::time_point::max());
      }
      static_cast<void>(beds_.end_search());
    }
  }

  void pass(unsigned me) noexcept {
    turn_.store(1 - me, std::memory_order_seq_cst);
    if (beds_.wanted()) {
      beds_.wake_one();
    }
  }

 private:
  coppice::detail::parking beds_{2};
  std::atomic<unsigned> turn_{0};
};

// The same with nothing but the system's call: what parking cannot be faster than.
class two_on_futex {
 public:
  void wait_for_turn(unsigned me) noexcept {
    while (turn_.load(std::memory_order_acquire) != me) {
      call(FUTEX_WAIT_PRIVATE, 1 - me);
    }
  }

  void pass(unsigned me) noexcept {
    turn_.store(1 - me, std::memory_order_release);
    call(FUTEX_WAKE_PRIVATE, 1);
  }

 private:
  void call(int operation, unsigned value) noexcept {
    static_assert(sizeof turn_ == sizeof(std::uint32_t));
    syscall(SYS_futex, &turn_, operation, value, nullptr, nullptr, 0);
  }

  std::atomic<unsigned> turn_{0};
};

template <class Two>
numbers round_trips(const setting& at) {
  Two both;
  constexpr std::size_t warm_up = 100;
  const std::size_t counted = at.scaled(20'000);
  const std::size_t rounds = warm_up + counted;
  samples trips(counted);
  std::thread other([&] {
    for (std::size_t i = 0; i != rounds; ++i) {
      both.wait_for_turn(1);
      both.pass(1);
    }
  });
  for (std::size_t i = 0; i != rounds; ++i) {
    const auto begun = clock::now();
    both.pass(0);
    both.wait_for_turn(0);
    if (i >= warm_up) {
      trips.add(clock::now() - begun);
    }
  }
  other.join();
  return distribution(trips);
}

// CPU time of a while, by who uses it.
struct usage {
  double cpu_seconds;
  double wakes;
};

usage usage_now(double except_cpu_seconds) noexcept {
  rusage all = {};
  getrusage(RUSAGE_SELF, &all);
  return {process_cpu_seconds() - except_cpu_seconds, static_cast<double>(all.ru_nvcsw)};
}

numbers share_of_core(const usage& before, const usage& after, double seconds) {
  const double share = (after.cpu_seconds - before.cpu_seconds) / seconds;
  return numbers(share * 1e9)
      .add("percent_of_core", 100 * share)
      .add("switches_per_s", (after.wakes - before.wakes) / seconds)
      .add("seconds", seconds);
}

constexpr std::chrono::milliseconds settling(100);

std::chrono::milliseconds watched(const setting& at) noexcept {
  return std::chrono::milliseconds(at.quick ? 300 : 2'000);
}

numbers watch(const setting& at) {
  std::this_thread::sleep_for(settling);
  const usage before = usage_now(0);
  const auto begun = clock::now();
  std::this_thread::sleep_for(watched(at));
  const double seconds = ns_since(begun) * 1e-9;
  return share_of_core(before, usage_now(0), seconds);
}

numbers all_asleep(const setting& at) {
  warm_executor on(at.workers);
  return watch(at);
}

task<void> sleep_long() {
  co_await coppice::sleep_for(std::chrono::hours(1));
}

// A timer that is far away.
numbers beside_timer(const setting& at) {
  warm_executor on(at.workers);
  const coppice::task_handle<> sleeper = on.spawn(sleep_long());
  const numbers result = watch(at);
  sleeper.cancel();
  return result;
}

// One worker computes and neither forks nor awaits; what do the others use meanwhile?
numbers beside_busy(const setting& at) {
  warm_executor on(at.workers);
  numbers result;
  std::binary_semaphore done(0);
  on.spawn([&] {
    for (const auto until = clock::now() + settling; clock::now() < until;) {
    }
    const usage before = usage_now(thread_cpu_seconds());
    const auto begun = clock::now();
    for (const auto until = begun + watched(at); clock::now() < until;) {
    }
    const double seconds = ns_since(begun) * 1e-9;
    result = share_of_core(before, usage_now(thread_cpu_seconds()), seconds);
    done.release();
  });
  done.acquire();
  return result;
}

constexpr row rows[] = {
    {"park/round_trip/coppice", 2, &round_trips<two_parked>},
    {"park/round_trip/futex", 2, &round_trips<two_on_futex>},
    {"idle_cpu/all_asleep", 2, &all_asleep},
    {"idle_cpu/all_asleep", 16, &all_asleep},
    {"idle_cpu/beside_timer", 2, &beside_timer},
    {"idle_cpu/beside_busy", 2, &beside_busy},
    {"idle_cpu/beside_busy", 16, &beside_busy},
};

}  // namespace

std::span<const row> parking_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
