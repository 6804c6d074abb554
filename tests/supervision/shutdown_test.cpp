#include <coppice/runtime.h>
#include <coppice/shutdown.h>

#include <gtest/gtest.h>

#include <pthread.h>
#include <csignal>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/accounted_runtime.h"
#include "tests/support/captured_stderr.h"
#include "tests/support/report_log.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::captured_stderr;
using testing_support::report_log;

class Shutdown : public testing_support::accounted_test {};

task<> sleeper(duration d) {
  co_await sleep_for(d);
}

// A task that does not stop until it is released: it holds a worker and looks at no stop.
class stubborn {
 public:
  auto body() {
    return [this] {
      begun_.count_down();
      released_.wait();
    };
  }
  void wait_until_it_runs() { begun_.wait(); }
  void release() { released_.count_down(); }

 private:
  std::latch begun_{1};
  std::latch released_{1};
};

TEST_F(Shutdown, OfAnIdleRuntimeReportsNothing) {
  accounted_runtime rt({.threads = 1});
  const shutdown_report report = rt.shutdown();
  EXPECT_TRUE(report);
  EXPECT_EQ(report.finished + report.cancelled + report.failed, 0u);
  EXPECT_TRUE(report.stuck.empty());
}

TEST_F(Shutdown, CancelsAtOnceWithoutADrain) {
  accounted_runtime rt({.threads = 2});
  std::vector<task_handle<>> handles;
  for (int i = 0; i != 10; ++i) {
    handles.push_back(rt.spawn(sleeper(1h)));
  }
  const shutdown_report report = rt.shutdown();
  EXPECT_TRUE(report);
  EXPECT_EQ(report.cancelled, 10u);
  EXPECT_EQ(report.finished, 0u);
  for (const task_handle<>& each : handles) {
    EXPECT_EQ(each.result().reason().kind(), cancel_kind::shutdown);
  }
}

TEST_F(Shutdown, LetsTasksFinishWhileItDrains) {
  accounted_runtime rt({.threads = 2});
  stubborn slow;
  const task_handle<> finishing = rt.spawn(slow.body());
  const task_handle<> endless = rt.spawn(sleeper(1h));
  slow.wait_until_it_runs();
  shutdown_report report;
  std::jthread closing([&] { report = rt.shutdown({.drain = 50ms}); });
  while (rt.try_spawn([] {})) {
    std::this_thread::yield();
  }
  EXPECT_THROW(rt.spawn([] {}), scope_closed) << "intake stops at once";
  slow.release();
  closing.join();
  EXPECT_EQ(finishing.status(), task_status::completed);
  EXPECT_EQ(endless.status(), task_status::cancelled);
  EXPECT_EQ(report.cancelled, 1u);
}

TEST_F(Shutdown, CountsTasksThatFailWhenStopped) {
  report_log log;
  accounted_runtime rt({.threads = 1});
  rt.set_error_handler(log.handler());
  std::latch begun(1);
  const auto fails_when_stopped = [&]() -> task<> {
    begun.count_down();
    while (!cancel_requested()) {
      std::this_thread::yield();
    }
    throw std::runtime_error("in cleanup");
    co_return;
  };
  rt.spawn(fails_when_stopped);
  begun.wait();
  const shutdown_report report = rt.shutdown();
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(log.messages(), std::vector<std::string>{"in cleanup"});
}

TEST_F(Shutdown, LeavesTheStuckToTheDestructorIfToldTo) {
  stubborn slow;
  std::jthread releasing;
  {
    accounted_runtime rt({.threads = 1});
    rt.spawn({.name = "computing"}, slow.body());
    slow.wait_until_it_runs();
    const shutdown_report report = rt.shutdown({.grace = 1ms, .stuck = on_stuck::leave_to_root});
    EXPECT_FALSE(report);
    ASSERT_EQ(report.stuck.size(), 1u);
    EXPECT_EQ(report.stuck[0].name, "computing");
    EXPECT_EQ(report.stuck[0].waiting_for, "running");
    EXPECT_NE(report.stuck[0].site.line, 0u);
    EXPECT_EQ(report.stuck[0].task.status(), task_status::running);
    releasing = std::jthread([&] { slow.release(); });
  }
}

TEST_F(Shutdown, WaitsForTheStuckAndPrintsThemOtherwise) {
  const captured_stderr captured;
  shutdown_report report;
  stubborn slow;
  accounted_runtime rt({.threads = 1});
  rt.spawn({.name = "computing"}, slow.body());
  slow.wait_until_it_runs();
  std::jthread closing([&] { report = rt.shutdown({.grace = 0ns}); });
  captured.wait_for("computing");
  slow.release();
  closing.join();
  ASSERT_EQ(report.stuck.size(), 1u);
  EXPECT_EQ(report.stuck[0].name, "computing");
}

using ShutdownDeathTest = Shutdown;

TEST_F(ShutdownDeathTest, TerminatesWithADumpIfToldTo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        stubborn slow;
        runtime rt({.threads = 1});
        rt.spawn({.name = "computing"}, slow.body());
        slow.wait_until_it_runs();
        rt.shutdown({.grace = 0ns, .stuck = on_stuck::terminate});
      },
      "computing");
}

TEST_F(Shutdown, ConcurrentCallsReturnTogether) {
  accounted_runtime rt({.threads = 2});
  const task_handle<> left = rt.spawn(sleeper(1h));
  std::vector<std::jthread> callers;
  for (int i = 0; i != 4; ++i) {
    callers.emplace_back([&] {
      rt.shutdown();
      EXPECT_TRUE(left.done());
    });
  }
}

TEST_F(Shutdown, RequestedFromATaskStopsTheMain) {
  accounted_runtime rt({.threads = 2});
  EXPECT_THROW(rt.block_on([&]() -> task<> {
    rt.request_shutdown();
    rt.request_shutdown();
    co_await sleep_for(1h);
  }),
               task_cancelled);
  EXPECT_THROW(rt.spawn([] {}), scope_closed);
}

TEST_F(Shutdown, RequestedAndThenTheRuntimeEnds) {
  for (int i = 0; i != 100; ++i) {
    accounted_runtime rt({.threads = 1});
    rt.spawn(sleeper(1h));
    rt.request_shutdown();
  }
}

runtime* signalled = nullptr;

TEST_F(Shutdown, RequestedFromASignalHandlerWhileTasksRun) {
  struct sigaction before = {};
  struct sigaction action = {};
  action.sa_handler = [](int) { signalled->request_shutdown(); };
  ::sigaction(SIGUSR1, &action, &before);
  for (int i = 0; i != 20; ++i) {
    accounted_runtime rt({.threads = 2});
    signalled = &rt;
    const pthread_t self = ::pthread_self();
    // Interrupts this thread wherever it is: in spawn, in block_on, in a lock.
    // It runs even if the first block_on is over before it has begun.
    rt.spawn({.start = start_mode::guaranteed}, [=] { ::pthread_kill(self, SIGUSR1); });
    try {
      for (;;) {
        rt.block_on([&]() -> task<> {
          spawn(sleeper(1h));
          co_return;
        });
      }
    } catch (const scope_closed&) {
    } catch (const task_cancelled&) {
    }
    rt.shutdown();
  }
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(Shutdown, RacesWithSpawnAndLosesNothing) {
  for (int round = 0; round != 50; ++round) {
    std::atomic<int> accepted{0};
    std::atomic<int> ended{0};  // Before the runtime, whose last callbacks run as it ends.
    accounted_runtime rt({.threads = 2});
    std::vector<std::jthread> spawners;
    for (int t = 0; t != 2; ++t) {
      spawners.emplace_back([&] {
        while (auto handle = rt.try_spawn(sleeper(1h))) {
          ++accepted;
          handle->on_done([&] { ++ended; });
        }
      });
    }
    std::this_thread::yield();
    rt.shutdown();
    spawners.clear();
    rt.shutdown();
    EXPECT_EQ(rt.beneath().counts().spawned, static_cast<std::uint64_t>(accepted.load()));
  }
}

}  // namespace
}  // namespace coppice
