// Runs several functions at once, each in a thread of its own, round after round.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace coppice::testing_support {

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
        while (round.load(std::memory_order_acquire) < mine) {
          std::this_thread::yield();
        }
        racer();
        running.fetch_sub(1, std::memory_order_release);
      }
    });
  }
  for (long i = 1; i <= rounds; ++i) {
    before();
    running.store(racers.size(), std::memory_order_relaxed);
    round.store(i, std::memory_order_release);
    while (running.load(std::memory_order_acquire) != 0) {
      std::this_thread::yield();
    }
    after();
  }
}

}  // namespace coppice::testing_support
