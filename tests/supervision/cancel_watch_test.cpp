// What the settings' tests do not see: that each is named once, and none in vain.
#include "supervision/cancel_watch.h"

#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/testing.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <latch>
#include <string>
#include <string_view>

#include "tests/support/captured_stderr.h"
#include "tests/support/environment.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::captured_stderr;
using testing_support::environment_guard;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

std::size_t occurrences(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST(CancelWatch, NamesEachTaskOnce) {
  const captured_stderr captured;
  test_runtime rt({.settings = {.cancel_watchdog = 1s}});
  rt.block_on([]() -> task<> {
    const task_handle<> first = spawn({.name = "first"}, shielded_sleeper, 20s);
    const task_handle<> second = spawn({.name = "second"}, shielded_sleeper, 20s);
    co_await sleep_for(1s);
    first.cancel();
    co_await sleep_for(5s);
    second.cancel();
    first.cancel();
    co_await sleep_for(1h);
  });
  EXPECT_EQ(occurrences(captured.text(), "\"first\""), 1u);
  EXPECT_EQ(occurrences(captured.text(), "\"second\""), 1u);
}

TEST(CancelWatch, SaysNothingOfThoseThatStop) {
  const captured_stderr captured;
  test_runtime rt({.settings = {.cancel_watchdog = 1s}});
  rt.block_on([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      for (int i = 0; i != 10; ++i) {
        g.spawn(sleeper(1h));
      }
      co_await sleep_for(1s);
      g.cancel();
    });
    co_await sleep_for(1h);
  });
  EXPECT_EQ(captured.text(), "");
}

TEST(CancelWatch, SaysNothingOfThoseAboveWhomAShieldStands) {
  const captured_stderr captured;
  test_runtime rt({.settings = {.cancel_watchdog = 1s}});
  rt.block_on([]() -> task<> {
    const auto below = []() -> task<> {
      co_await with_group([](task_group& g) -> task<> {
        g.spawn({.name = "not asked"}, sleeper, 1min);
        co_return;
      });
    };
    const auto shielding = [&]() -> task<> { co_await shield(below); };
    const task_handle<> host = spawn({.name = "host"}, shielding);
    co_await sleep_for(1s);
    host.cancel();
    co_await sleep_for(1h);
  });
  EXPECT_EQ(occurrences(captured.text(), "still there"), 1u) << captured.text();
  EXPECT_EQ(occurrences(captured.text(), "\"host\""), 1u) << captured.text();
}

TEST(CancelWatch, MovesNoVirtualTimeByItself) {
  const captured_stderr captured;
  test_runtime rt({.settings = {.shutdown_timeout = forever, .cancel_watchdog = 1s}});
  rt.block_on([]() -> task<> {
    const task_handle<> slow = spawn(shielded_sleeper, 1h);
    co_await sleep_for(1ms);
    slow.cancel();
    co_await yield();
    EXPECT_EQ(test_clock().pending_timers(), 1u);
  });
  EXPECT_EQ(rt.clock().elapsed(), 1h);
}

TEST(CancelWatch, OnRealTimeNamesATaskAskedLongAfterTheFirst) {
  const environment_guard environment("COPPICE_CANCEL_WATCHDOG", "1ms");
  const captured_stderr captured;
  runtime rt({.threads = 2});
  for (const char* name : {"earlier", "later"}) {
    std::latch running(1);
    std::latch released(1);
    const task_handle<> busy = rt.spawn({.name = name}, [&] {
      running.count_down();
      released.wait();
    });
    running.wait();
    busy.cancel();
    captured.wait_for(name);
    released.count_down();
    rt.block_on([&]() -> task<> { (void)co_await as_result(busy); });
  }
}

}  // namespace
}  // namespace coppice
