#include <coppice/task.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace coppice {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ns;

TEST(Time, IsTheSteadyClockOutsideTasks) {
  const auto before = clock::now();
  const time_point between = now();
  EXPECT_LE(before, between);
  EXPECT_LE(between, clock::now());
}

TEST(Time, IsTheRuntimesClockInsideOne) {
  test_runtime test;
  test.block_on([&test]() -> task<> {
    EXPECT_EQ(now(), test.clock().now());
    co_await sleep_for(1h);
    EXPECT_EQ(now(), test.clock().now());
    EXPECT_EQ(test.clock().elapsed(), 1h);
  });
}

TEST(Time, SleepsExactlySoLongOnTheVirtualClock) {
  test_runtime test;
  test.block_on([]() -> task<> {
    for (const duration d : {1ns, 17ns, duration(1h)}) {
      const time_point before = now();
      co_await sleep_for(d);
      EXPECT_EQ(now() - before, d);
      co_await sleep_until(now() + d);
      EXPECT_EQ(now() - before, 2 * d);
    }
  });
}

TEST(Time, SleepsForNoTimeButYields) {
  test_runtime test({.shuffle = false});
  std::string order;
  test.block_on([&order]() -> task<> {
    const task_handle<> other = spawn(
        [](std::string& into) -> task<> {
          into += 'b';
          co_return;
        },
        std::ref(order));
    order += 'a';
    co_await sleep_for(0ns);
    order += 'c';
    co_await other;
    co_await sleep_for(-1ns);
    co_await sleep_until(now() - 1h);
    co_await sleep_until(time_point::min());
    EXPECT_EQ(test_clock().elapsed(), 0ns);
  });
  EXPECT_EQ(order, "abc");
}

TEST(Time, SleepsForEverUntilCancelled) {
  test_runtime test;
  test.block_on([]() -> task<> {
    const task_handle<> sleeper = spawn([]() -> task<> { co_await sleep_for(forever); });
    co_await sleep_for(24h * 365 * 100);
    EXPECT_FALSE(sleeper.done());
    EXPECT_EQ(test_clock().pending_timers(), 0u);
    sleeper.cancel();
    EXPECT_THROW(co_await sleeper, task_cancelled);
  });
}

TEST(Time, StopsASleeperThatIsCancelledAtOnce) {
  test_runtime test;
  test.block_on([]() -> task<> {
    const task_handle<> sleeper = spawn([]() -> task<> { co_await sleep_for(1h); });
    co_await sleep_for(1ns);
    sleeper.cancel();
    EXPECT_THROW(co_await sleeper, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 1ns);
  });
}

}  // namespace
}  // namespace coppice
