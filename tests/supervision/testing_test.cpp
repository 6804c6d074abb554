#include <coppice/testing.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/environment.h"
#include "tests/support/stub_event.h"

namespace coppice {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""s;
using testing::HasSubstr;
using testing_support::environment_guard;
using testing_support::stub_event;

task<> sleep_and_count(duration d, std::atomic<int>& count) {
  co_await sleep_for(d);
  count.fetch_add(1);
}

task<> wait_for(stub_event& event) {
  (void)co_await event.wait();
}

std::string message_of(const std::function<void()>& failing) {
  try {
    failing();
  } catch (const usage_error& error) {
    return error.what();
  }
  return "no usage_error";
}

// ---- With any number of workers -----------------------------------------------------------------

class TestRuntime : public testing::TestWithParam<unsigned> {
 protected:
  static test_options workers() { return {.workers = GetParam()}; }
  static test_options by_hand() { return {.workers = GetParam(), .autojump = false}; }
};

INSTANTIATE_TEST_SUITE_P(Workers, TestRuntime, testing::Values(1u, 2u, 4u));

TEST_P(TestRuntime, SleepsInNoTime) {
  test_runtime test(workers());
  EXPECT_EQ(test.workers(), GetParam());
  const int result = test.block_on([&test]() -> task<int> {
    co_await sleep_for(24h * 365);
    EXPECT_EQ(test.clock().elapsed(), 24h * 365);
    co_return 7;
  });
  EXPECT_EQ(result, 7);
  EXPECT_EQ(test.clock().elapsed(), 24h * 365);
}

TEST_P(TestRuntime, ShowsItsTimers) {
  test_runtime test(by_hand());
  std::atomic<int> woken{0};
  const time_point start = test.clock().now();
  EXPECT_EQ(test.clock().next_timer(), std::nullopt);
  EXPECT_EQ(test.clock().pending_timers(), 0u);
  const task_handle<> later = test.spawn(sleep_and_count(2h, woken));
  const task_handle<> sooner = test.spawn(sleep_and_count(1h, woken));
  test.run_until_blocked();
  EXPECT_EQ(test.clock().next_timer(), start + 1h);
  EXPECT_EQ(test.clock().pending_timers(), 2u);
  sooner.cancel();
  test.run_until_blocked();
  EXPECT_EQ(test.clock().next_timer(), start + 2h);
  EXPECT_EQ(test.clock().pending_timers(), 1u);
  test.advance(2h);
  EXPECT_EQ(test.clock().next_timer(), std::nullopt);
  EXPECT_EQ(test.clock().elapsed(), 2h);
  EXPECT_EQ(woken.load(), 1);
}

TEST_P(TestRuntime, AdvancesWithoutAutojumpFromTheTestsThread) {
  test_runtime test(by_hand());
  std::atomic<int> woken{0};
  for (int i = 1; i <= 10; ++i) {
    test.spawn(sleep_and_count(i * 1min, woken));
  }
  for (int i = 1; i <= 10; ++i) {
    test.advance(59s);
    EXPECT_EQ(woken.load(), i - 1);
    test.advance(1s);
    EXPECT_EQ(woken.load(), i);
    EXPECT_EQ(test.clock().elapsed(), i * 1min);
  }
}

TEST_P(TestRuntime, AdvancesAlsoWhereTimeWouldMoveByItself) {
  test_runtime test(workers());
  std::atomic<int> woken{0};
  test.spawn(sleep_and_count(10min, woken));
  test.advance(9min);
  EXPECT_EQ(woken.load(), 0);
  test.advance(1min);
  EXPECT_EQ(woken.load(), 1);
  EXPECT_EQ(test.clock().elapsed(), 10min);
}

TEST_P(TestRuntime, AdvancesFromInside) {
  test_runtime test(by_hand());
  std::atomic<int> woken{0};
  test.block_on([&]() -> task<> {
    for (int i = 1; i <= 10; ++i) {
      spawn(sleep_and_count(i * 1min, woken));
    }
    co_await advance(5min);
    EXPECT_EQ(woken.load(), 5);
    EXPECT_EQ(test_clock().elapsed(), 5min);
    co_await advance(0ns);
    co_await advance(-1h);
    EXPECT_EQ(test_clock().elapsed(), 5min);
    co_await advance(1h);
    EXPECT_EQ(woken.load(), 10);
    EXPECT_EQ(test_clock().elapsed(), 65min);
  });
}

TEST_P(TestRuntime, LetsATaskWaitUntilAllOthersWait) {
  test_runtime test(workers());
  test.block_on([&]() -> task<> {
    std::atomic<int> steps{0};
    for (int i = 0; i != 10; ++i) {
      spawn([&steps]() -> task<> {
        for (int step = 0; step != 10; ++step) {
          steps.fetch_add(1);
          co_await yield();
        }
        co_await sleep_for(1h);
      });
    }
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(steps.load(), 100);
    EXPECT_EQ(test_clock().elapsed(), 0ns);
    co_await sleep_for(2h);
  });
}

TEST_P(TestRuntime, TellsOfADeadlockWithADump) {
  test_runtime test({.workers = GetParam(), .seed = 4711});
  stub_event never;
  std::atomic<int> ended{0};
  const std::string text = message_of([&] {
    test.block_on([&]() -> task<> {
      spawn({.name = "the one it waits for"}, [&]() -> task<> {
        struct end_counter {
          std::atomic<int>& ended;
          ~end_counter() { ended.fetch_add(1); }
        } counter{ended};
        co_await never.wait();
      });
      co_await sleep_for(forever);
    });
  });
  EXPECT_THAT(text, HasSubstr("deadlock"));
  EXPECT_THAT(text, HasSubstr("the one it waits for"));
  EXPECT_THAT(text, HasSubstr("stub_event"));
  EXPECT_THAT(text, HasSubstr("sleep"));
  EXPECT_THAT(text, HasSubstr("COPPICE_TEST_SEED=4711"));
  EXPECT_EQ(ended.load(), 1);  // All have been stopped.
  EXPECT_TRUE(test.all_tasks().empty());
  test.block_on([]() -> task<> { co_await sleep_for(1s); });
}

TEST_P(TestRuntime, KnowsWhenItIsDeadlocked) {
  test_runtime test(workers());
  EXPECT_FALSE(test.deadlocked());
  std::atomic<int> woken{0};
  stub_event event;
  test.spawn(wait_for(event));
  const task_handle<> sleeper = test.spawn(sleep_and_count(1h, woken));
  test.run_until_blocked();
  EXPECT_FALSE(test.deadlocked());  // A timer is set.
  test.advance(1h);
  EXPECT_TRUE(test.deadlocked());
  (void)event.set();
  EXPECT_FALSE(test.deadlocked());
  test.run_until_blocked();
  EXPECT_FALSE(test.deadlocked());  // No task is left.
}

TEST_P(TestRuntime, CountsLiveFrames) {
  test_runtime test(by_hand());
  EXPECT_EQ(test.live_frames(), 0u);
  std::atomic<int> woken{0};
  std::vector<task_handle<>> handles;
  for (int i = 0; i != 5; ++i) {
    handles.push_back(test.spawn(sleep_and_count(1h, woken)));
  }
  EXPECT_EQ(test.live_frames(), 5u);
  test.run_until_blocked();
  EXPECT_EQ(test.live_frames(), 5u);
  test.advance(1h);
  EXPECT_EQ(test.live_frames(), 0u);
}

TEST_P(TestRuntime, ShutsDownByVirtualTime) {
  test_runtime test(workers());
  std::atomic<int> woken{0};
  test.spawn(sleep_and_count(1h, woken));
  test.spawn(sleep_and_count(3h, woken));
  const shutdown_report report = test.shutdown({.drain = 2h});
  EXPECT_EQ(report.finished, 1u);
  EXPECT_EQ(report.cancelled, 1u);
  EXPECT_EQ(woken.load(), 1);
  EXPECT_EQ(test.clock().elapsed(), 2h);
}

TEST_P(TestRuntime, MayEndWithTasksThatSleep) {
  std::atomic<int> woken{0};
  {
    test_runtime test(by_hand());
    for (int i = 0; i != 100; ++i) {
      test.spawn(sleep_and_count(1h, woken));
    }
    test.run_until_blocked();
  }
  EXPECT_EQ(woken.load(), 0);
}

TEST_P(TestRuntime, MayLiveBesideAnother) {
  test_runtime one(workers());
  test_runtime other(by_hand());
  std::atomic<int> woken{0};
  other.spawn(sleep_and_count(1h, woken));
  other.run_until_blocked();
  one.block_on([]() -> task<> { co_await sleep_for(2h); });
  EXPECT_EQ(other.clock().elapsed(), 0ns);
  EXPECT_EQ(woken.load(), 0);
  other.advance(1h);
  EXPECT_EQ(woken.load(), 1);
}

TEST_P(TestRuntime, RefusesToWaitForItselfOnAWorker) {
  test_runtime test(workers());
  test.block_on([&]() -> task<> {
    EXPECT_THAT(message_of([&] { test.advance(1s); }), HasSubstr("co_await"));
    EXPECT_THAT(message_of([&] { test.run_until_blocked(); }), HasSubstr("co_await"));
    co_return;
  });
}

// ---- Where it is not for ------------------------------------------------------------------------

TEST(TestRuntimeOnly, TheFreeFormsAreForItsTasks) {
  const auto all_refuse = [] {
    EXPECT_THAT(message_of([] { (void)wait_all_tasks_blocked(); }),
                HasSubstr("wait_all_tasks_blocked()"));
    EXPECT_THAT(message_of([] { (void)advance(1s); }), HasSubstr("advance()"));
    EXPECT_THAT(message_of([] { (void)test_clock(); }), HasSubstr("test_clock()"));
  };
  all_refuse();
  runtime steady({.threads = 1});
  steady.block_on(all_refuse);
}

TEST(TestRuntimeOnly, NeedsAWorker) {
  EXPECT_THROW(test_runtime({.workers = 0}), usage_error);
}

TEST(TestRuntimeOnly, TakesItsOtherSettingsAsTheyAre) {
  const test_runtime test({.workers = 2, .settings = {.threads = 7, .max_tasks = 3}});
  EXPECT_EQ(test.effective_options().threads, 2u);
  EXPECT_EQ(test.effective_options().max_tasks, 3u);
}

}  // namespace
}  // namespace coppice
