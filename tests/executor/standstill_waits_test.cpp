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

class StandstillWaits : public testing_support::standstill_test {};

INSTANTIATE_TEST_SUITE_P(Workers, StandstillWaits, testing::Values(1u, 2u, 4u));

task<> sleep_and_count(duration d, std::atomic<int>& count) {
  co_await sleep_for(d);
  count.fetch_add(1);
}

// ---- Threads that wait --------------------------------------------------------------------------

TEST_P(StandstillWaits, WithoutAutojumpOnlyAdvanceMovesTime) {
  const test_setup setup{.autojump = false};
  accounted_executor on(workers(), &setup);
  std::atomic<int> woken{0};
  const task_handle<> sleeper = on.spawn(sleep_and_count(3h, woken));
  still(on).wait_until_blocked();
  EXPECT_EQ(elapsed(on), 0ns);
  EXPECT_EQ(still(on).next_timer(), time_source::beginning + 3h);
  still(on).advance(2h);
  EXPECT_EQ(elapsed(on), 2h);
  EXPECT_EQ(woken.load(), 0);
  still(on).advance(1h);
  EXPECT_EQ(elapsed(on), 3h);
  EXPECT_EQ(woken.load(), 1);
  EXPECT_TRUE(sleeper.done());
  still(on).advance(-1h);
  EXPECT_EQ(elapsed(on), 3h);
}

TEST_P(StandstillWaits, AdvanceGoesFromTimerToTimer) {
  const test_setup setup{.autojump = false};
  accounted_executor on(workers(), &setup);
  std::vector<duration> ticks;
  const task_handle<> ticker = on.spawn([&]() -> task<> {
    for (;;) {
      co_await sleep_for(10min);
      ticks.push_back(elapsed(on));
    }
  });
  still(on).advance(35min);
  EXPECT_EQ(ticks, (std::vector<duration>{10min, 20min, 30min}));
  EXPECT_EQ(elapsed(on), 35min);
  ticker.cancel();
}

// While nobody waits for the executor, a test's thread is busy and time stands still.
TEST_P(StandstillWaits, TimeStandsStillWhileTheTestsThreadIsBusy) {
  const test_setup setup{.patience = long_patience};
  accounted_executor on(workers(), &setup);
  std::atomic<int> woken{0};
  const task_handle<> sleeper = on.spawn(sleep_and_count(3h, woken));
  for (int i = 0; i != 10; ++i) {
    still(on).wait_until_blocked();
    EXPECT_EQ(elapsed(on), 0ns);
  }
  still(on).advance(1h);
  EXPECT_EQ(elapsed(on), 1h);
  EXPECT_EQ(woken.load(), 0);
  on.block_on([]() -> task<> { co_await sleep_for(1h); });
  EXPECT_EQ(elapsed(on), 2h);
  EXPECT_EQ(woken.load(), 0);
  EXPECT_TRUE(on.wait_until_idle());
  EXPECT_EQ(elapsed(on), 3h);
}

TEST_P(StandstillWaits, AThreadThatWaitsInAnotherWayIsFoundOut) {
  const test_setup setup{.patience = 1ms};
  accounted_executor on(workers(), &setup);
  std::latch woken(1);
  const task_handle<> sleeper = on.spawn([&woken]() -> task<> {
    for (int i = 0; i != 1'000; ++i) {
      co_await sleep_for(1min);
    }
    woken.count_down();
  });
  woken.wait();
  EXPECT_EQ(elapsed(on), 1'000min);
}

TEST_P(StandstillWaits, WaitsWithALimitGoByVirtualTime) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  std::atomic<int> woken{0};
  const task_handle<> sleeper = on.spawn(sleep_and_count(3h, woken));
  EXPECT_FALSE(on.wait_until_idle(0ns));
  EXPECT_FALSE(on.wait_until_idle(1h));
  EXPECT_EQ(elapsed(on), 1h);
  EXPECT_EQ(woken.load(), 0);
  EXPECT_TRUE(on.wait_until_idle(5h));
  EXPECT_EQ(elapsed(on), 3h);
  EXPECT_TRUE(on.wait_until_idle(0ns));
}

// ---- Tasks that wait for the others -------------------------------------------------------------

template <class Source>
wait_operation<Source> wait_in(const executor& on, time_point until) {
  return wait_operation<Source>(Source(*standstill_of(on), until));
}

TEST_P(StandstillWaits, ATaskGoesOnWhenAllOthersWait) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  for (int round = 0; round != 50; ++round) {
    std::atomic<int> steps{0};
    on.block_on([&]() -> task<> {
      for (int i = 0; i != 10; ++i) {
        spawn([&steps]() -> task<> {
          for (int step = 0; step != 10; ++step) {
            steps.fetch_add(1);
            co_await yield();
          }
          co_await sleep_for(1s);
          steps.fetch_add(1);
        });
      }
      const time_point before = now();
      co_await wait_in<blocked_source>(on, time_point::min());
      EXPECT_EQ(steps.load(), 100);
      EXPECT_EQ(now(), before);
      co_await wait_in<advance_source>(on, now() + 1s);
      EXPECT_EQ(steps.load(), 110);
      EXPECT_EQ(now() - before, 1s);
    });
  }
}

TEST_P(StandstillWaits, TasksThatWaitForTheOthersDoNotWaitForEachOther) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  std::atomic<int> over{0};
  on.block_on([&]() -> task<> {
    for (int i = 0; i != 10; ++i) {
      spawn([&]() -> task<> {
        co_await wait_in<blocked_source>(on, time_point::min());
        over.fetch_add(1);
      });
    }
    co_await sleep_for(1ns);
    EXPECT_EQ(over.load(), 10);
  });
}

TEST_P(StandstillWaits, ATaskMayBeCancelledWhileItWaitsForTheOthers) {
  const test_setup setup;
  accounted_executor on(workers(), &setup);
  on.block_on([&]() -> task<> {
    const task_handle<> patient =
        spawn([&on]() -> task<> { co_await wait_in<advance_source>(on, now() + 1h); });
    co_await sleep_for(1min);
    patient.cancel();
    const time_point before = now();
    while (!patient.done()) {
      co_await sleep_for(1ns);
    }
    EXPECT_EQ(patient.status(), task_status::cancelled);
    EXPECT_LT(now() - before, 1min);
  });
}

// ---- Deadlocks ----------------------------------------------------------------------------------

task<> wait_for(stub_event& event) {
  (void)co_await event.wait();
}

TEST_P(StandstillWaits, BlockOnThrowsWhereNothingCanEndItsTask) {
  const test_setup setup{.patience = 0ns};
  accounted_executor on(workers(), &setup);
  for (int round = 0; round != 3; ++round) {
    stub_event event;
    EXPECT_THROW(on.block_on(wait_for(event)), usage_error);
    EXPECT_EQ(on.live_task_count(), 0u);
    EXPECT_EQ(event.armed, event.disarmed);
  }
  EXPECT_EQ(on.block_on([]() -> task<int> { co_return 1; }), 1);
}

TEST_P(StandstillWaits, SleepingForEverIsADeadlock) {
  const test_setup setup{.patience = 0ns};
  accounted_executor on(workers(), &setup);
  EXPECT_THROW(on.block_on([]() -> task<> { co_await sleep_for(forever); }), usage_error);
}

TEST_P(StandstillWaits, ATimerThatWillCancelIsNoDeadlock) {
  const test_setup setup{.patience = 0ns};
  accounted_executor on(workers(), &setup);
  stub_event event;
  on.block_on([&event]() -> task<> {
    const task_handle<> limited = spawn({.timeout = 1h}, wait_for(event));
    bool timed_out = false;
    try {
      co_await limited;
    } catch (const timeout_error&) {
      timed_out = true;
    }
    EXPECT_TRUE(timed_out);
  });
  EXPECT_EQ(elapsed(on), 1h);
}

TEST_P(StandstillWaits, ATimerThatWaitsForAdvanceIsNoDeadlock) {
  const test_setup setup{.autojump = false, .patience = 0ns};
  accounted_executor on(workers(), &setup);
  std::atomic<int> woken{0};
  std::jthread blocked([&] { on.block_on(sleep_and_count(1h, woken)); });
  while (still(on).pending_timers() == 0) {
    std::this_thread::yield();
  }
  still(on).advance(1h);
  blocked.join();
  EXPECT_EQ(woken.load(), 1);
}

TEST_P(StandstillWaits, WhatIsExpectedFromOutsideIsNoDeadlock) {
  const test_setup setup{.patience = 0ns};
  accounted_executor on(workers(), &setup);
  stub_event event;
  std::jthread other;
  event.while_arming = [&] {
    on.state().core->begin_outside();
    other = std::jthread([&] {
      still(on).wait_until_blocked();
      EXPECT_FALSE(still(on).deadlocked());
      while (event.set() == claim_result::lost) {
      }
      on.state().core->end_outside();
    });
  };
  on.block_on(wait_for(event));
}

TEST_P(StandstillWaits, AnotherThreadHasTimeToWakeATaskUp) {
  const test_setup setup{.patience = long_patience};
  accounted_executor on(workers(), &setup);
  stub_event event;
  std::jthread other([&] {
    while (event.armed == 0) {
      std::this_thread::yield();
    }
    still(on).wait_until_blocked();
    EXPECT_TRUE(still(on).deadlocked());
    (void)event.set();
  });
  on.block_on(wait_for(event));
  EXPECT_FALSE(still(on).deadlocked());
}

TEST_P(StandstillWaits, ABusyOrAnEmptyExecutorIsNotDeadlocked) {
  const test_setup setup{.patience = long_patience};
  accounted_executor on(workers(), &setup);
  still(on).wait_until_blocked();
  EXPECT_FALSE(still(on).deadlocked());
  on.block_on([&on]() -> task<> {
    EXPECT_FALSE(still(on).deadlocked());
    co_return;
  });
  EXPECT_TRUE(on.wait_until_idle());
  const task_handle<> waiting = on.spawn([]() -> task<> { co_await sleep_for(forever); });
  EXPECT_FALSE(still(on).deadlocked());  // It has not even begun.
  still(on).wait_until_blocked();
  EXPECT_TRUE(still(on).deadlocked());
  waiting.cancel();
  still(on).wait_until_blocked();
  EXPECT_FALSE(still(on).deadlocked());
}

}  // namespace
}  // namespace coppice::detail
