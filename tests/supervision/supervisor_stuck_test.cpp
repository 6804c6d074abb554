// The phases of a supervisor's shutdown: no more intake, drain, cancel, and the report of the stuck.
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/captured_stderr.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::HasSubstr;
using testing_support::captured_stderr;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

class SupervisorStuck : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, SupervisorStuck, testing::Values(1u, 2u, 4u));

// A body that lends its supervisor to the test's main task, and waits for its end.
auto lending(supervisor*& borrowed) {
  return [&borrowed](supervisor& s) -> task<> {
    borrowed = &s;
    co_await sleep_for(10'000h);
  };
}

TEST_P(SupervisorStuck, DrainsThenCancelsThenReportsTheStuck) {
  const captured_stderr captured;
  supervisor* jobs = nullptr;
  test_runtime rt{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    const auto body = lending(jobs);
    const task_handle<> host = spawn([&]() -> task<> { co_await with_supervisor(body); });
    co_await wait_all_tasks_blocked();
    const task_handle<> quick = jobs->spawn({.name = "quick"}, sleeper, 1s);
    const task_handle<> long_one = jobs->spawn({.name = "long"}, sleeper, 1h);
    const task_handle<> slow = jobs->spawn({.name = "slow"}, shielded_sleeper, 1h);
    const std::uint32_t line = __builtin_LINE() - 1;
    const task_handle<> watching = spawn([&]() -> task<> {
      co_await sleep_for(2s - 1ms);
      EXPECT_EQ(quick.status(), task_status::completed);
      EXPECT_FALSE(long_one.done()) << "it may still end by itself";
      co_await sleep_for(2ms);
      EXPECT_EQ(long_one.status(), task_status::cancelled);
      EXPECT_EQ(captured.text(), "") << "its grace has just begun";
      co_await sleep_for(3s);
      EXPECT_THAT(captured.text(), HasSubstr("slow"));
    });
    const shutdown_report report = co_await jobs->shutdown({.drain = 2s, .grace = 3s});
    EXPECT_EQ(test_clock().elapsed(), 1h) << "a live frame is never freed";
    EXPECT_FALSE(report);
    EXPECT_EQ(report.finished, 1u);
    if (report.stuck.size() != 1) {
      ADD_FAILURE() << report.stuck.size() << " are stuck";
    } else {
      EXPECT_EQ(report.stuck[0].task, slow);
      EXPECT_EQ(report.stuck[0].name, "slow");
      EXPECT_EQ(report.stuck[0].site.line, line);
      EXPECT_THAT(report.stuck[0].waiting_for, HasSubstr("sleep"));
    }
    co_await host;
    co_await watching;
  });
}

TEST_P(SupervisorStuck, DrainsNoLongerThanItsChildrenNeed) {
  supervisor* jobs = nullptr;
  test_runtime rt{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    const auto body = lending(jobs);
    const task_handle<> host = spawn([&]() -> task<> { co_await with_supervisor(body); });
    co_await wait_all_tasks_blocked();
    jobs->spawn(sleeper(1s));
    jobs->spawn(sleeper(2s));
    const shutdown_report report = co_await jobs->shutdown({.drain = forever});
    EXPECT_EQ(report.finished, 2u);
    EXPECT_EQ(report.cancelled, 0u);
    EXPECT_EQ(test_clock().elapsed(), 2s);
    co_await host;
  });
}

TEST_P(SupervisorStuck, TakesNobodyInWhileItDrains) {
  std::atomic<int> ran{0};
  supervisor* jobs = nullptr;
  test_runtime rt{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      ran.fetch_add(1);
      co_return;
    };
    const auto body = lending(jobs);
    const task_handle<> host = spawn([&]() -> task<> { co_await with_supervisor(body); });
    co_await wait_all_tasks_blocked();
    const task_handle<> last = jobs->spawn(sleeper(10s));
    scope_handle handle = jobs->handle();
    const task_handle<> late = spawn([&]() -> task<> {
      co_await sleep_for(1s);
      task<> refused = work();
      EXPECT_FALSE(handle.try_spawn(std::move(refused)).has_value());
      EXPECT_TRUE(static_cast<bool>(refused)) << "it is still the caller's";
      try {
        EXPECT_EQ(handle.spawn(work).status(), task_status::cancelled);
      } catch (const scope_closed&) {  // As a runtime says it that is being shut down.
      }
      EXPECT_FALSE(last.done());
    });
    co_await jobs->shutdown({.drain = 1min});
    EXPECT_EQ(last.status(), task_status::completed);
    co_await late;
    co_await host;
  });
  EXPECT_EQ(ran.load(), 0);
}

TEST_P(SupervisorStuck, ACancelEndsTheDrain) {
  supervisor* jobs = nullptr;
  test_runtime rt{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    const auto body = lending(jobs);
    const task_handle<> host = spawn([&]() -> task<> { co_await with_supervisor(body); });
    co_await wait_all_tasks_blocked();
    const task_handle<> child = jobs->spawn(sleeper(1h));
    const task_handle<> impatient = spawn([&]() -> task<> {
      co_await sleep_for(1s);
      jobs->cancel("no more patience");
    });
    co_await jobs->shutdown({.drain = 1h});
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 1s);
    co_await impatient;
    co_await host;
  });
}

TEST_P(SupervisorStuck, ACancelIsAShutdownWithoutADrain) {
  test_runtime rt{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    co_await with_supervisor({.drain = 1h}, [&](supervisor& s) -> task<> {
      child = s.spawn(sleeper(1min));
      s.cancel("at once");
      co_await checkpoint();
    });
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(SupervisorStuck, ItsOptionsAreTheDefaults) {
  supervisor* jobs = nullptr;
  const captured_stderr captured;
  test_runtime rt{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    const auto body = lending(jobs);
    const task_handle<> host =
        spawn([&]() -> task<> { co_await with_supervisor({.drain = 2s, .grace = 1s}, body); });
    co_await wait_all_tasks_blocked();
    jobs->spawn(sleeper(1s));
    jobs->spawn({.name = "slow"}, shielded_sleeper, 5s);
    const shutdown_report report = co_await jobs->shutdown();
    EXPECT_EQ(report.finished, 1u);
    EXPECT_EQ(report.stuck.size(), 1u) << "two seconds, one second more, and it takes five";
    EXPECT_EQ(test_clock().elapsed(), 5s);
    co_await host;
  });
}

TEST_P(SupervisorStuck, WhoEndsWithinTheGraceIsNotStuck) {
  const captured_stderr captured;
  supervisor* jobs = nullptr;
  test_runtime rt{{.workers = GetParam(), .settings = {.cancel_watchdog = forever}}};
  rt.block_on([&]() -> task<> {
    const auto body = lending(jobs);
    const task_handle<> host = spawn([&]() -> task<> { co_await with_supervisor(body); });
    co_await wait_all_tasks_blocked();
    jobs->spawn({.name = "slow"}, shielded_sleeper, 4s);
    co_await wait_all_tasks_blocked();  // It has begun.
    const shutdown_report report = co_await jobs->shutdown(5s);
    EXPECT_TRUE(report);
    EXPECT_EQ(test_clock().elapsed(), 4s);
    co_await host;
  });
  EXPECT_EQ(captured.text(), "");
}

TEST(SupervisorStuckRunning, A17IsToldToBeRunning) {
  const captured_stderr captured;
  std::latch begun(1);
  std::latch released(1);
  std::jthread releasing;
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    task_handle<> closing;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn({.name = "computing"}, [&] {
        begun.count_down();
        released.wait();
      });
      begun.wait();
      closing = spawn([&]() -> task<> {
        const shutdown_report report =
            co_await s.shutdown({.grace = 0ns, .stuck = on_stuck::leave_to_root});
        EXPECT_EQ(report.stuck.size(), 1u);
        if (!report) {
          EXPECT_EQ(report.stuck[0].name, "computing");
          EXPECT_EQ(report.stuck[0].waiting_for, "running");
        }
        released.count_down();
      });
      co_await sleep_for(1h);
    });
    co_await closing;
  });
}

TEST(SupervisorStuckDeath, TerminatesWithADumpIfToldTo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        rt.block_on([]() -> task<> {
          co_await with_supervisor({.stuck = on_stuck::terminate}, [](supervisor& s) -> task<> {
            s.spawn({.name = "never ends"}, shielded_sleeper, 1h);
            co_await sleep_for(1s);
            co_await s.shutdown(3s);
          });
        });
      },
      "never ends");
}

}  // namespace
}  // namespace coppice
