// Runs several functions at once, each in a thread of its own, round after round.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace coppice::testing_support {

// Looks for a while, for racers are to meet; then sleeps, lest it keep a racer from a busy machine's cores.
template <class T, class Condition>
void wait_until(const std::atomic<T>& value, Condition holds) {
  constexpr int looks = 100;
  for (int i = 0;; ++i) {
    const T now = value.load(std::memory_order_acquire);
    if (holds(now)) {
      return;
    }
    if (i < looks) {
      std::this_thread::yield();
    } else {
      value.wait(now, std::memory_order_acquire);
    }
  }
}

// before(), then all racers at the same time, then after(), which sees what they did. Both run on the
// calling thread.
inline void race(long rounds, const std::function<void()>& before,
                 const std::vector<std::function<void()>>& racers,
                 const std::function<void()>& after) {
  std::atomic<long> round{0};
  std::atomic<std::size_t> running{0};
  std::vector<std::jthread> threads;
  for (const std::function<void()>& racer : racers) {
    threads.emplace_back([&] {
      for (long mine = 1; mine <= rounds; ++mine) {
        wait_until(round, [mine](long now) { return now >= mine; });
        racer();
        if (running.fetch_sub(1, std::memory_order_release) == 1) {
          running.notify_one();
        }
      }
    });
  }
  for (long i = 1; i <= rounds; ++i) {
    before();
    running.store(racers.size(), std::memory_order_relaxed);
    round.store(i, std::memory_order_release);
    round.notify_all();
    wait_until(running, [](std::size_t now) { return now == 0; });
    after();
  }
}

}  // namespace coppice::testing_support
