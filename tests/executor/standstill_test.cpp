#include <coppice/detail/standstill.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/load.h"
#include "tests/support/standstill_test.h"
#include "tests/support/stub_event.h"

namespace coppice::detail {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""s;
using testing_support::accounted_executor;
using testing_support::long_patience;
using testing_support::rounds;
using testing_support::stub_event;

class Standstill : public testing_support::standstill_test {};

INSTANTIATE_TEST_SUITE_P(Workers, Standstill, testing::Values(1u, 2u, 4u));

TEST_P(Standstill, TimeJumpsToTheNextTimer) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  on.block_on([]() -> task<> {
    const time_point before = now();
    co_await sleep_for(10h);
    EXPECT_EQ(now() - before, 10h);
  });
  EXPECT_EQ(elapsed(on), 10h);
}

TEST_P(Standstill, TimeGoesFromTimerToTimerWhoeverSetThem) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  std::atomic<int> woken{0};
  on.block_on([&woken]() -> task<> {
    for (int i = 1; i <= 100; ++i) {
      spawn([i, &woken]() -> task<> {
        const time_point before = now();
        co_await sleep_for(duration(i));
        EXPECT_EQ(now() - before, duration(i));
        woken.fetch_add(1);
      });
    }
    const time_point before = now();
    for (int i = 1; i <= 100; ++i) {
      co_await sleep_until(before + duration(i));
      EXPECT_EQ(now(), before + duration(i));
      co_await sleep_until(before + duration(i) + 0ns);  // Gives way.
    }
    co_await sleep_for(1s);
    EXPECT_EQ(woken.load(), 100);
  });
}

TEST_P(Standstill, TenThousandSleepersWakeAtTheirTimes) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  static constexpr int sleepers = 10'000;
  std::atomic<int> woken{0};
  on.block_on([&woken]() -> task<> {
    const time_point start = now();
    for (int i = 0; i != sleepers; ++i) {
      spawn([start, i, &woken]() -> task<> {
        const time_point due = start + duration(i % 97);
        co_await sleep_until(due);
        EXPECT_GE(now(), due);
        EXPECT_EQ(now(), std::max(due, start));
        woken.fetch_add(1);
      });
    }
    co_await sleep_for(1s);
    EXPECT_EQ(woken.load(), sleepers);
  });
}

// The one that runs first finds none whose time has come and who still waits for it (A19).
TEST_P(Standstill, AllTimersOfOneInstantFireBeforeAnyTaskRuns) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  for (int round = 0; round != 50; ++round) {
    std::atomic<int> woken{0};
    on.block_on([&]() -> task<> {
      const time_point due = now() + 1h;
      for (int i = 0; i != 20; ++i) {
        spawn([&, due]() -> task<> {
          co_await sleep_until(due);
          EXPECT_EQ(now(), due);
          EXPECT_FALSE(still(on).next_timer() == due);
          EXPECT_EQ(still(on).pending_timers(), 1u);
          woken.fetch_add(1);
        });
      }
      co_await sleep_until(due + 1ns);
      EXPECT_EQ(woken.load(), 20);
    });
  }
}

// So its sleep is over, and delivered, though a task that woke at the same time cancels it.
TEST_P(Standstill, ACancelComesTooLateForASleepOfTheSameInstant) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  for (int round = 0; round != 50; ++round) {
    std::atomic<int> slept{0};
    on.block_on([&slept]() -> task<> {
      const time_point due = now() + 1h;
      std::vector<task_handle<>> sleepers;
      const auto sleeper = [due, &slept]() -> task<> {
        co_await sleep_until(due);
        slept.fetch_add(1);
      };
      for (int i = 0; i != 10; ++i) {
        sleepers.push_back(spawn(sleeper));
      }
      co_await sleep_until(due);
      for (const task_handle<>& each : sleepers) {
        each.cancel();
      }
      for (const task_handle<>& each : sleepers) {
        while (!each.done()) {
          co_await sleep_for(1ns);
        }
      }
    });
    EXPECT_EQ(slept.load(), 10);
  }
}

TEST_P(Standstill, TimeStandsStillWhileAnyWorkerIsBusy) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  on.block_on([]() -> task<> {
    const task_handle<> sleeper = spawn([]() -> task<> { co_await sleep_for(1ns); });
    co_await yield();
    const time_point before = now();
    for (int i = 0; i != 200'000; ++i) {
      if (now() != before) {
        ADD_FAILURE() << "time has moved";
        break;
      }
    }
    co_await sleeper;
  });
}

// Whoever wakes a task up from outside, as time is about to move, does so before or after.
TEST_P(Standstill, TimeStandsStillForATaskThatAThreadHasWoken) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  std::atomic<bool> over{false};
  const task_handle<> ticker = on.spawn([&over]() -> task<> {
    while (!over.load()) {
      co_await sleep_for(1ns);
    }
  });
  std::atomic<stub_event*> armed{nullptr};
  std::jthread waker([&] {
    while (!over.load()) {
      if (stub_event* const event = armed.exchange(nullptr)) {
        (void)event->set();
      } else {
        std::this_thread::yield();
      }
    }
  });
  on.block_on([&]() -> task<> {
    for (long i = 0; i != rounds(5'000, 50); ++i) {
      stub_event event;
      event.while_arming = [&] { armed.store(&event); };
      co_await event.wait();
      const time_point woken = now();
      for (int look = 0; look != 100; ++look) {
        if (now() != woken) {
          ADD_FAILURE() << "time has moved";
          break;
        }
      }
    }
    over.store(true);
    co_await ticker;
  });
}

TEST_P(Standstill, AnotherThreadMayBlockOnBesides) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  std::vector<std::jthread> threads;
  for (int i = 0; i != 3; ++i) {
    threads.emplace_back([&on] {
      for (int round = 0; round != 20; ++round) {
        on.block_on([]() -> task<> { co_await sleep_for(1min); });
      }
    });
  }
}

// ---- Frames -------------------------------------------------------------------------------------

task<> sleep_in_depth(int depth) {
  if (depth == 0) {
    co_await sleep_for(1h);
  } else {
    co_await sleep_in_depth(depth - 1);
  }
}

TEST_P(Standstill, CountsFramesAndNotHandles) {
  const test_setup setup{.patience = long_patience};
  accounted_executor on(workers(), &setup);
  EXPECT_EQ(still(on).live_frames(), 0u);
  std::vector<task_handle<>> handles;
  for (int i = 0; i != 10; ++i) {
    handles.push_back(on.spawn(sleep_in_depth(4)));
  }
  still(on).wait_until_blocked();
  EXPECT_EQ(still(on).live_frames(), 50u);
  on.wait_until_idle();
  still(on).wait_until_blocked();
  EXPECT_EQ(still(on).live_frames(), 0u);
  handles.clear();
  EXPECT_EQ(still(on).live_frames(), 0u);
}

TEST_P(Standstill, CountsFramesOfAnySizeMadeAnywhere) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  const auto large = []() -> task<char> {
    volatile char room[8'192] = {1};
    co_await sleep_for(1ns);
    co_return room[0];
  };
  auto made_here = std::make_unique<task<char>>(large());
  EXPECT_EQ(still(on).live_frames(), 1u);
  auto made_there = on.block_on([large]() -> task<std::unique_ptr<task<char>>> {
    co_return std::make_unique<task<char>>(large());
  });
  still(on).wait_until_blocked();
  EXPECT_EQ(still(on).live_frames(), 2u);
  EXPECT_EQ(on.block_on(std::move(*made_here)), 1);
  still(on).wait_until_blocked();
  EXPECT_EQ(still(on).live_frames(), 1u);
  made_there.reset();
  EXPECT_EQ(still(on).live_frames(), 0u);
}

TEST(StandstillOf, IsNoneOnTheSteadyClock) {
  executor on({.threads = 1});
  EXPECT_EQ(standstill_of(on), nullptr);
  EXPECT_THROW(on.block_on([] { static_cast<void>(current_standstill("here()")); }), usage_error);
  EXPECT_THROW(static_cast<void>(current_standstill("here()")), usage_error);
}

}  // namespace
}  // namespace coppice::detail
