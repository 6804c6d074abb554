// Polls in a row, a storm of others' cancels, and one cancel that is waited for: the same for every system.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <random>
#include <thread>
#include <utility>

#include "bench/poll/row.h"
#include "bench/support/cores.h"
#include "bench/support/ticks.h"

namespace bench::poll_suite {

// Of a loop that does nothing else. `poll` asks something that nobody cancels.
template <class Poll>
numbers time_polls(const setting& at, Poll poll) {
  const std::size_t polls = at.scaled(20'000'000);
  std::array<double, 9> rounds{};
  for (double& ns_each : rounds) {
    std::size_t stops = 0;
    const auto begun = clock::now();
    for (std::size_t i = 0; i != polls; ++i) {
      stops += poll() ? 1 : 0;
    }
    ns_each = ns_since(begun) / static_cast<double>(polls);
    require(stops == 0, "a poll saw a cancel that nobody has made");
  }
  std::ranges::sort(rounds);
  return numbers(rounds[rounds.size() / 2]).add("ns_least", rounds.front());
}

// Cancels of what nobody polls, at a steady rate, on one thread while another polls.
class storm {
 public:
  // By the thread that cancels: next() waits until a cancel is due, and says whether it still is wanted.
  void begin() noexcept {
    begun_ = clock::now();
    raging_.store(true, std::memory_order_release);
  }
  bool next() noexcept {
    const auto due = begun_ + count_ * period;
    while (!over_.load(std::memory_order_acquire)) {
      if (clock::now() >= due) {
        ++count_;
        return true;
      }
    }
    return false;
  }

  // By the thread that polls.
  bool raging() const noexcept { return raging_.load(std::memory_order_acquire); }
  void end() noexcept {
    lasted_ = clock::now() - begun_;
    over_.store(true, std::memory_order_release);
  }

  // The same at the end of a block, however it ends.
  class end_with_block {
   public:
    explicit end_with_block(storm& of) noexcept : of_(of) {}
    end_with_block(const end_with_block&) = delete;
    end_with_block& operator=(const end_with_block&) = delete;
    ~end_with_block() { of_.end(); }

   private:
    storm& of_;
  };

  // When both are through with it. Of a thread that has lost its core they are fewer.
  void add_to(numbers& result) const {
    require(count_ != 0, "nobody cancelled while the other polled");
    result.add("cancels_per_second",
               static_cast<double>(count_) / std::chrono::duration<double>(lasted_).count());
  }

 private:
  static constexpr std::chrono::microseconds period{10};

  clock::time_point begun_;
  clock::duration lasted_{};
  std::size_t count_ = 0;
  std::atomic<bool> raging_{false};
  std::atomic<bool> over_{false};
};

// A thread on the second core; from here on the caller stays on the first.
template <class Body>
std::jthread run_beside(Body body) {
  static const int first = usable_core(0);
  static const int second = usable_core(1);
  stay_on_core(first);
  return std::jthread([body = std::move(body)] {
    stay_on_core(second);
    body();
  });
}

// What is measured while a thread of its own calls `cancel_one` again and again.
template <class Cancel, class Measure>
numbers measure_in_storm(Cancel cancel_one, Measure measure) {
  storm weather;
  numbers result;
  {
    const std::jthread others = run_beside([&] {
      weather.begin();
      while (weather.next()) {
        cancel_one();
      }
    });
    const storm::end_with_block end(weather);
    while (!weather.raging()) {
    }
    result = measure();
  }
  weather.add_to(result);
  return result;
}

// One cancel, and the thread that polls for it.
class sighting {
 public:
  // By the thread that polls.
  template <class Poll>
  void look(Poll poll) {
    polling_.store(true, std::memory_order_release);
    while (!poll()) {
    }
    seen_ = ticks_now();
  }

  // By the one that cancels, as soon as the other polls: a little later, when that goes round and round.
  bool polling() const noexcept { return polling_.load(std::memory_order_acquire); }
  template <class Cancel>
  void cancel(std::minstd_rand& random, Cancel make) {
    const auto until = clock::now() + std::chrono::nanoseconds(random() % 10'000 + 1'000);
    while (clock::now() < until) {
    }
    begun_ = ticks_now();
    make();
  }

  // When both are through. Two cores' clocks may differ by a little.
  ticks took() const {
    require(begun_ != 0 && seen_ != 0, "nobody cancelled, or nobody saw it");
    return std::max(seen_ - begun_, ticks{0});
  }

 private:
  std::atomic<bool> polling_{false};
  ticks begun_ = 0;
  ticks seen_ = 0;
};

// `once` makes a cancel and gives what it took; as often as there is time for.
template <class Once>
numbers time_sightings(const setting& at, Once once) {
  const double ns_per_tick = measure_ns_per_tick();
  std::minstd_rand random(1);
  static_cast<void>(once(random));
  samples seen(at.scaled(2'000));
  const auto until = clock::now() + at.scaled(3'000) * std::chrono::milliseconds(1);
  do {
    const ticks took = once(random);
    seen.add(std::chrono::nanoseconds(
        static_cast<std::int64_t>(ns_per_tick * static_cast<double>(took))));
  } while (!seen.full() && clock::now() < until);
  numbers result = distribution(seen);
  return result.add("ns_least", seen.least_ns());
}

}  // namespace bench::poll_suite
