#include <coppice/detail/climb.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::rounds;

TEST(Climb, NobodyIsWaitedForWhereNobodyClimbs) {
  climb::wait_for_all();
  {
    const climb outer;
    const climb inner;
  }
  climb::wait_for_all();
}

TEST(Climb, OneThatHasBegunIsWaitedFor) {
  std::atomic<bool> begun{false};
  std::atomic<bool> waiting{false};
  std::atomic<bool> ended{false};
  std::jthread climbing([&] {
    const climb upwards;
    begun = true;
    while (!waiting.load()) {
      std::this_thread::yield();
    }
    ended = true;
  });
  while (!begun.load()) {
    std::this_thread::yield();
  }
  waiting = true;
  climb::wait_for_all();
  EXPECT_TRUE(ended.load());
}

// What is above is poisoned as soon as nobody can be there any more: who climbs may find the old or the new, and never
// what is poisoned.
TEST(Climb, WhatWasAboveGoesBehindAllThatClimb) {
  constexpr int poison = -1;
  const long turns = rounds(100'000, 1'000);
  std::array<std::atomic<int>, 2> above{1, 1};
  std::atomic<std::atomic<int>*> parent{above.data()};
  std::atomic<bool> over{false};
  std::atomic<long> seen_poison{0};
  const auto climb_on = [&] {
    while (!over.load(std::memory_order_relaxed)) {
      const climb upwards;
      const climb nested;
      const std::atomic<int>* const found = parent.load(std::memory_order_seq_cst);
      if (found->load(std::memory_order_relaxed) == poison) {
        seen_poison.fetch_add(1);
      }
    }
  };
  {
    const std::jthread one(climb_on);
    const std::jthread other(climb_on);
    for (long i = 0; i != turns; ++i) {
      std::atomic<int>& next = above.at(static_cast<std::size_t>(i + 1) % 2);
      std::atomic<int>& before = above.at(static_cast<std::size_t>(i) % 2);
      next.store(1, std::memory_order_relaxed);
      parent.store(&next, std::memory_order_seq_cst);
      climb::wait_for_all();
      before.store(poison, std::memory_order_relaxed);
    }
    over = true;
  }
  EXPECT_EQ(seen_poison.load(), 0);
}

}  // namespace
}  // namespace coppice::detail
