// The effect of the settings about failures that nobody takes and tasks that do not stop.
#include <coppice/awaiter.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "tests/support/captured_stderr.h"
#include "tests/support/environment.h"
#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::HasSubstr;
using testing::Not;
using testing_support::captured_stderr;
using testing_support::environment_guard;
using testing_support::fail_when_stopped;
using testing_support::failing;
using testing_support::report_log;
using testing_support::shielded_sleeper;

// ---- COPPICE_UNHANDLED --------------------------------------------------------------------------

// A child of a supervisor without a handler fails, and so does a task of the root.
void fail_unhandled(const test_options& options = {}) {
  test_runtime rt(options);
  rt.block_on([]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      s.spawn(failing("of a supervisor"));
      co_return;
    });
    spawn(failing("of the root"));
    co_await sleep_for(1s);
  });
}

std::string printed_when_unhandled(const char* setting, const test_options& options = {}) {
  const environment_guard environment("COPPICE_UNHANDLED", setting);
  const captured_stderr captured;
  fail_unhandled(options);
  return captured.text();
}

TEST(UnhandledSetting, ReportPrintsEach) {
  const std::string text = printed_when_unhandled("report");
  EXPECT_THAT(text, HasSubstr("of a supervisor"));
  EXPECT_THAT(text, HasSubstr("of the root"));
}

TEST(UnhandledSetting, ReportIsTheDefault) {
  EXPECT_THAT(printed_when_unhandled(""), HasSubstr("of a supervisor"));
}

TEST(UnhandledSetting, SilentPrintsNothing) {
  EXPECT_EQ(printed_when_unhandled("silent"), "");
}

TEST(UnhandledSetting, InCodeBeatsTheEnvironment) {
  EXPECT_EQ(printed_when_unhandled("report", {.settings = {.unhandled = on_unhandled::silent}}),
            "");
}

TEST(UnhandledSetting, SilentKeepsNothingFromAHandler) {
  const environment_guard environment("COPPICE_UNHANDLED", "silent");
  report_log log;
  test_runtime rt;
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    spawn(failing("handled"));
    co_await sleep_for(1s);
  });
  EXPECT_EQ(log.size(), 1u);
}

TEST(UnhandledSetting, TerminateLetsLiveWhereAHandlerTakesIt) {
  const environment_guard environment("COPPICE_UNHANDLED", "terminate");
  report_log log;
  test_runtime rt;
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn(failing("handled"));
      co_return;
    });
  });
  EXPECT_EQ(log.size(), 1u);
}

TEST(UnhandledSettingDeath, TerminatePrintsTheFirstAndEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const environment_guard environment("COPPICE_UNHANDLED", "terminate");
  EXPECT_DEATH(fail_unhandled(), "of a supervisor");
}

// ---- COPPICE_SHUTDOWN_TIMEOUT -------------------------------------------------------------------

// What is printed about a leftover of block_on that resists its cancel for so long.
std::string printed_about_a_leftover(const char* timeout, duration resisting) {
  const environment_guard environment("COPPICE_SHUTDOWN_TIMEOUT", timeout);
  const captured_stderr captured;
  test_runtime rt{{.settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    spawn({.name = "slow to stop"}, shielded_sleeper, 2s + resisting);
    co_await sleep_for(2s);
  });
  return captured.text();
}

TEST(ShutdownTimeoutSetting, NamesTheStuckAfterThatLong) {
  EXPECT_EQ(printed_about_a_leftover("5s", 4s), "");
  EXPECT_THAT(printed_about_a_leftover("5s", 6s), HasSubstr("slow to stop"));
}

TEST(ShutdownTimeoutSetting, IsHalfAMinuteByDefault) {
  EXPECT_EQ(printed_about_a_leftover("", 29s), "");
  EXPECT_THAT(printed_about_a_leftover("", 31s), HasSubstr("slow to stop"));
}

TEST(ShutdownTimeoutSetting, MayBeEndless) {
  EXPECT_EQ(printed_about_a_leftover("inf", 10'000h), "");
}

// ---- COPPICE_CANCEL_WATCHDOG --------------------------------------------------------------------

TEST(CancelWatchdogSetting, NamesATaskThatRunsOn) {
  const environment_guard environment("COPPICE_CANCEL_WATCHDOG", "1ms");
  const captured_stderr captured;
  std::latch running(1);
  std::latch released(1);
  runtime rt({.threads = 1});
  const task_handle<> busy = rt.spawn({.name = "deaf while it computes"}, [&] {
    running.count_down();
    released.wait();
  });
  running.wait();
  busy.cancel("not wanted");
  captured.wait_for("deaf while it computes");
  released.count_down();
}

TEST(CancelWatchdogSetting, NamesATaskThatWaitsOn) {
  const environment_guard environment("COPPICE_CANCEL_WATCHDOG", "1ms");
  const captured_stderr captured;
  std::latch waiting(1);
  std::optional<completion<>> wait;
  runtime rt({.threads = 1});
  const task_handle<> slow = rt.spawn({.name = "deaf while it waits"}, [&]() -> task<> {
    co_await perform<void>([&](completion<> done) {
      wait = done;
      waiting.count_down();
    });
  });
  waiting.wait();
  slow.cancel("not wanted");
  captured.wait_for("deaf while it waits");
  wait->complete();
  wait.reset();
}

TEST(CancelWatchdogSetting, ReachesTheChildrenOfACancelledScope) {
  const environment_guard environment("COPPICE_CANCEL_WATCHDOG", "1ms");
  const captured_stderr captured;
  std::latch running(1);
  std::latch released(1);
  scope_handle jobs;
  std::jthread calling;
  runtime rt({.threads = 2});
  calling = std::jthread([&] {
    rt.block_on([&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        jobs = s.handle();
        s.spawn({.name = "deaf child"}, [&] {
          running.count_down();
          released.wait();
        });
        co_await sleep_for(1h);
      });
    });
  });
  running.wait();
  jobs.cancel("not wanted");
  captured.wait_for("deaf child");
  released.count_down();
  calling.join();
  jobs = scope_handle();
}

// What is printed when a task is cancelled that resists for so long.
std::string printed_about_the_cancelled(const char* setting, duration resisting) {
  const environment_guard environment("COPPICE_CANCEL_WATCHDOG", setting);
  const captured_stderr captured;
  test_runtime rt;
  rt.block_on([&]() -> task<> {
    const task_handle<> slow = spawn({.name = "deaf"}, shielded_sleeper, 1s + resisting);
    co_await sleep_for(1s);
    slow.cancel("not wanted");
    co_await sleep_for(2h);
  });
  return captured.text();
}

TEST(CancelWatchdogSetting, OffSaysNothing) {
  EXPECT_EQ(printed_about_the_cancelled("off", 1h), "");
}

TEST(CancelWatchdogSetting, WaitsForAsLongAsItIsSet) {
  EXPECT_EQ(printed_about_the_cancelled("1m", 59s), "");
  EXPECT_THAT(printed_about_the_cancelled("1m", 61s), HasSubstr("deaf"));
}

TEST(CancelWatchdogSetting, IsOneSecondByDefault) {
  EXPECT_EQ(printed_about_the_cancelled("", 900ms), "");
  EXPECT_THAT(printed_about_the_cancelled("", 1100ms), HasSubstr("deaf"));
}

// ---- COPPICE_DEBUG ------------------------------------------------------------------------------

// Each stands two calls away, so that only a backtrace, and no creation site, can name it.
[[gnu::noinline]] task_handle<> spawn_near(const std::function<task_handle<>()>& spawning) {
  task_handle<> spawned = spawning();
  EXPECT_TRUE(static_cast<bool>(spawned));
  return spawned;
}

[[gnu::noinline]] task_handle<> far_caller_of_spawn(
    const std::function<task_handle<>()>& spawning) {
  task_handle<> spawned = spawn_near(spawning);
  EXPECT_FALSE(spawned.done());
  return spawned;
}

[[gnu::noinline]] void cancel_near(const task_handle<>& child) {
  child.cancel("not wanted");
  EXPECT_TRUE(child.token().stop_requested());
}

[[gnu::noinline]] void far_caller_of_cancel(const task_handle<>& child) {
  cancel_near(child);
  EXPECT_TRUE(static_cast<bool>(child));
}

std::string printed_with_debug(const char* setting) {
  const environment_guard environment("COPPICE_DEBUG", setting);
  const captured_stderr captured;
  test_runtime rt;
  rt.block_on([]() -> task<> {
    const task_handle<> child =
        far_caller_of_spawn([] { return spawn(fail_when_stopped("debugged")); });
    co_await sleep_for(1s);
    far_caller_of_cancel(child);
    co_await sleep_for(1s);
  });
  return captured.text();
}

TEST(DebugSetting, AddsBacktracesOfSpawnAndOfTheCanceller) {
  const std::string text = printed_with_debug("1");
  EXPECT_THAT(text, HasSubstr("debugged"));
  EXPECT_THAT(text, HasSubstr("far_caller_of_spawn"));
  EXPECT_THAT(text, HasSubstr("far_caller_of_cancel"));
}

TEST(DebugSetting, OffAddsNone) {
  const std::string text = printed_with_debug("0");
  EXPECT_THAT(text, HasSubstr("debugged"));
  EXPECT_THAT(text, Not(HasSubstr("far_caller_of_spawn")));
  EXPECT_THAT(text, Not(HasSubstr("far_caller_of_cancel")));
}

}  // namespace
}  // namespace coppice
