// The root supervisor behind spawn(): it keeps tasks, reports what nobody takes, and is emptied at the end.
#include <coppice/runtime.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::failing;
using testing_support::report_log;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

class RootSupervisor : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, RootSupervisor, testing::Values(1u, 2u, 4u));

// ---- Failures -----------------------------------------------------------------------------------

TEST_P(RootSupervisor, A10AFailureIsReportedAtOnceAndConcernsNobodyElse) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const task_handle<> sibling = spawn(sleeper(1h));
    spawn(fail_after(1s, "bad"));
    co_await sleep_for(2s);
    EXPECT_EQ(log.size(), 1u);
    EXPECT_FALSE(sibling.done());
    co_await sibling;
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "bad");
  EXPECT_EQ(reports[0].origin, error_origin::child);
}

TEST_P(RootSupervisor, A10LeavesOutAFailureThatSuspendedAwaitersTake) {
  report_log log;
  std::atomic<int> taken{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const task_handle<> bad = spawn(fail_after(1s, "taken"));
    const auto take = [&]() -> task<> {
      EXPECT_THROW(co_await bad, std::runtime_error);
      taken.fetch_add(1);
    };
    std::vector<task_handle<>> takers;
    for (int i = 0; i != 3; ++i) {
      takers.push_back(spawn(take));
    }
    for (const task_handle<>& each : takers) {
      co_await each;
    }
  });
  EXPECT_EQ(taken.load(), 3);
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(RootSupervisor, A14ReportsAFailureThoughItIsAwaitedLater) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const task_handle<> bad = spawn(failing("too late"));
    co_await sleep_for(1s);
    EXPECT_EQ(log.size(), 1u);
    EXPECT_THROW(co_await bad, std::runtime_error);
  });
  EXPECT_EQ(log.size(), 1u) << "once";
}

TEST_P(RootSupervisor, A14ReportsAFailureWhoseAwaiterHasGivenUp) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const task_handle<> bad = spawn(fail_after(2s, "nobody waits"));
    const auto wait = [&]() -> task<> { co_await bad; };
    const bool finished = co_await move_on_after(1s, wait);
    EXPECT_FALSE(finished);
    co_await sleep_for(2s);
  });
  EXPECT_THAT(log.messages(), ElementsAre("nobody waits"));
}

TEST_P(RootSupervisor, A14ReportsAFailureWhoseHandleWasDropped) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    spawn(fail_after(1s, "dropped"));
    co_await sleep_for(2s);
  });
  EXPECT_THAT(log.messages(), ElementsAre("dropped"));
}

TEST_P(RootSupervisor, A7ACancelledTaskIsNotReported) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const task_handle<> child = spawn(sleeper(1h));
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
  });
  EXPECT_EQ(log.size(), 0u);
}

// ---- The end of block_on ------------------------------------------------------------------------

TEST_P(RootSupervisor, LeftoversAreCancelledAndAwaited) {
  test_runtime rt{{.workers = GetParam()}};
  task_handle<> left;
  task_handle<> slow;
  rt.block_on([&]() -> task<> {
    left = spawn(sleeper(1h));
    slow = spawn(shielded_sleeper(3s));
    co_await sleep_for(1s);
  });
  EXPECT_EQ(left.status(), task_status::cancelled);
  EXPECT_EQ(left.result().reason().kind(), cancel_kind::shutdown);
  EXPECT_TRUE(slow.done());
  EXPECT_EQ(rt.clock().elapsed(), 3s);
  EXPECT_EQ(rt.live_frames(), 0u);
  EXPECT_TRUE(rt.all_tasks().empty());
}

TEST_P(RootSupervisor, ALeftoverThatFailsIsReportedWithWhyItWasStopped) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    spawn({.name = "left over"}, fail_when_stopped, "in cleanup");
    co_await sleep_for(1s);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.name(), "left over");
  EXPECT_EQ(reports[0].entry.message(), "in cleanup");
  ASSERT_NE(reports[0].entry.context(), nullptr);
  EXPECT_EQ(reports[0].entry.context()->kind(), cancel_kind::shutdown);
}

TEST_P(RootSupervisor, LeftoversEndAlsoWhenTheMainFails) {
  test_runtime rt{{.workers = GetParam()}};
  task_handle<> left;
  EXPECT_THROW(rt.block_on([&]() -> task<> {
    left = spawn(sleeper(1h));
    co_await sleep_for(1s);
    throw std::invalid_argument("main");
  }),
               std::invalid_argument);
  EXPECT_EQ(left.status(), task_status::cancelled);
  EXPECT_EQ(rt.clock().elapsed(), 1s);
}

TEST_P(RootSupervisor, ALeftoverCannotSpawnAnother) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    spawn([&]() -> task<> {
      (void)co_await as_result(sleep_for(1h));
      const auto more = try_spawn([&] { ran.fetch_add(1); });
      EXPECT_TRUE(!more || !more->done() || more->status() == task_status::cancelled);
    });
    co_await sleep_for(1s);
  });
  EXPECT_EQ(ran.load(), 0);
}

TEST_P(RootSupervisor, IsAsNewForTheNextBlockOn) {
  test_runtime rt{{.workers = GetParam()}};
  for (int i = 0; i != 3; ++i) {
    rt.block_on([]() -> task<> {
      spawn(sleeper(1h));
      const task_handle<> child = spawn(sleeper(1s));
      co_await child;
      EXPECT_EQ(child.status(), task_status::completed);
    });
  }
  EXPECT_EQ(rt.clock().elapsed(), 3s);
}

TEST_P(RootSupervisor, A10HearsNothingOfWhatOtherSupervisorsHandle) {
  report_log log;
  report_log inner;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    co_await spawn([&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        s.on_error(inner.handler());
        s.spawn(failing("inner"));
        co_return;
      });
    });
  });
  EXPECT_EQ(log.size(), 0u);
  EXPECT_EQ(inner.size(), 1u);
}

TEST(RootSupervisorOutside, TheFreeSpawnIsForTasks) {
  EXPECT_THROW(spawn(sleeper(1s)), usage_error);
  EXPECT_THROW((void)try_spawn(sleeper(1s)), usage_error);
}

// ---- In an order that the seed decides ----------------------------------------------------------

TEST(RootSupervisorSeeded, A14EachFailureIsTakenOrReportedOnce) {
  constexpr int tasks = 300;
  report_log log;
  std::set<std::string> taken;  // By one worker.
  std::set<std::string> awaited;
  test_runtime rt{{.workers = 1}};
  SCOPED_TRACE(rt.seed());
  rt.set_error_handler(log.handler());
  std::minstd_rand random(static_cast<unsigned>(rt.seed()));
  rt.block_on([&]() -> task<> {
    const auto take = [&](task_handle<> from) -> task<> {
      try {
        co_await from;
      } catch (const std::runtime_error& error) {
        taken.insert(error.what());
      }
    };
    for (int i = 0; i != tasks; ++i) {
      const auto delay = std::chrono::milliseconds(random() % 20);
      const task_handle<> bad = spawn(fail_after(delay, std::to_string(i)));
      if (random() % 2 == 0) {
        awaited.insert(std::to_string(i));
        spawn(take, bad);
      }
      if (random() % 16 == 0) {
        co_await sleep_for(std::chrono::milliseconds(random() % 20));
      }
    }
    co_await sleep_for(1s);
  });
  EXPECT_EQ(taken, awaited);
  const std::vector<std::string> messages = log.messages();
  const std::set<std::string> reported(messages.begin(), messages.end());
  EXPECT_EQ(messages.size(), reported.size()) << "none twice";
  for (int i = 0; i != tasks; ++i) {
    // One who came late takes a failure that has been reported already.
    EXPECT_TRUE(reported.contains(std::to_string(i)) || taken.contains(std::to_string(i))) << i;
  }
  EXPECT_LT(reported.size(), std::size_t{tasks}) << "some were awaited in time";
}

}  // namespace
}  // namespace coppice
