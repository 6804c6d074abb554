// A supervisor that is opened and closed by hand, as a member of an object that lives long.
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::failing;
using testing_support::report_log;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

class ManualSupervisor : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, ManualSupervisor, testing::Values(1u, 2u, 4u));

// ---- Opening and closing ------------------------------------------------------------------------

TEST_P(ManualSupervisor, CloseWaitsForTheChildrenAndCancelsNone) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    EXPECT_FALSE(jobs.is_open());
    jobs.open();
    EXPECT_TRUE(jobs.is_open());
    const task_handle<> child = jobs.spawn(sleeper(1h));
    co_await jobs.close();
    EXPECT_FALSE(jobs.is_open());
    EXPECT_EQ(child.status(), task_status::completed);
    EXPECT_EQ(test_clock().elapsed(), 1h);
  });
}

TEST_P(ManualSupervisor, ShutdownEndsTheChildrenAndClosesIt) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    const task_handle<> child = jobs.spawn(sleeper(1h));
    const shutdown_report report = co_await jobs.shutdown(1s, "the end");
    EXPECT_FALSE(jobs.is_open());
    EXPECT_EQ(report.cancelled, 1u);
    EXPECT_EQ(child.result().reason().message(), "the end");
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(ManualSupervisor, ClosingTwiceIsHarmless) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    jobs.spawn(sleeper(1s));
    co_await jobs.close();
    co_await jobs.close();
    const shutdown_report report = co_await jobs.shutdown();
    EXPECT_TRUE(report);
    EXPECT_EQ(report.finished + report.cancelled + report.failed, 0u);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(ManualSupervisor, CanBeOpenedAgain) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    for (int i = 0; i != 3; ++i) {
      jobs.open();
      EXPECT_FALSE(jobs.cancelled()) << "what was before is over";
      const task_handle<> first = jobs.spawn(sleeper(1s));
      co_await sleep_for(2s);
      EXPECT_EQ(first.status(), task_status::completed);
      jobs.spawn(sleeper(1h));
      co_await jobs.shutdown();
    }
    EXPECT_EQ(test_clock().elapsed(), 6s);
  });
}

TEST_P(ManualSupervisor, OpensOnceAtATime) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    EXPECT_THROW(jobs.open(), usage_error);
    EXPECT_TRUE(jobs.is_open());
    co_await jobs.close();
  });
}

TEST(ManualSupervisorOutside, CannotBeOpened) {
  manual_supervisor jobs;
  EXPECT_THROW(jobs.open(), usage_error);
  EXPECT_FALSE(jobs.is_open());
}

TEST_P(ManualSupervisor, A11RefusesChildrenWhenClosed) {
  std::atomic<int> ran{0};
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto count = [&] { ran.fetch_add(1); };
    jobs.open();
    scope_handle handle = jobs.handle();
    co_await jobs.close();
    EXPECT_THROW(jobs.spawn(count), scope_closed);
    EXPECT_FALSE(jobs.try_spawn(count).has_value());
    EXPECT_THROW(handle.spawn(count), scope_closed);
  });
  EXPECT_EQ(ran.load(), 0);
}

TEST_P(ManualSupervisor, AHandleOfOneOpeningDoesNothingToTheNext) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    const scope_handle old = jobs.handle();
    co_await jobs.close();
    EXPECT_TRUE(old.closed());
    jobs.open();
    const task_handle<> child = jobs.spawn(sleeper(1s));
    old.cancel("too late");
    old.request_shutdown();
    co_await jobs.close();
    EXPECT_EQ(child.status(), task_status::completed);
  });
}

// ---- Its children -------------------------------------------------------------------------------

TEST_P(ManualSupervisor, A10AFailureOfAChildConcernsNobodyElse) {
  report_log log;
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    jobs.on_error(log.handler());
    const task_handle<> sibling = jobs.spawn(sleeper(1h));
    jobs.spawn(failing("bad"));
    co_await sleep_for(1s);
    EXPECT_EQ(log.size(), 1u);
    EXPECT_FALSE(sibling.done());
    co_await jobs.close();
    EXPECT_EQ(sibling.status(), task_status::completed);
  });
  EXPECT_THAT(log.messages(), ElementsAre("bad"));
}

TEST_P(ManualSupervisor, ObeysItsOptions) {
  report_log log;
  manual_supervisor jobs({.name = "jobs", .max_children = 1, .drain = 2s});
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    EXPECT_EQ(jobs.name(), "jobs");
    const task_handle<> child = jobs.spawn(sleeper(1s));
    EXPECT_THROW(jobs.spawn(sleeper(1s)), resource_exhausted);
    EXPECT_EQ(jobs.size(), 1u);
    const shutdown_report report = co_await jobs.shutdown();
    EXPECT_EQ(report.finished, 1u);
    EXPECT_EQ(child.status(), task_status::completed);
  });
}

TEST_P(ManualSupervisor, OutlivesTheFunctionThatOpenedIt) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto open_in = [&]() -> task<> {
      jobs.open();
      co_return;
    };
    co_await open_in();
    const task_handle<> child = jobs.spawn(sleeper(1s));
    co_await jobs.close();
    EXPECT_EQ(child.status(), task_status::completed);
  });
}

class service {
 public:
  task<> open() {
    workers_.open();
    co_return;
  }
  void add(std::atomic<int>& count) {
    workers_.spawn([&count] { count.fetch_add(1); });
  }
  task<> close() { co_await workers_.close(); }

 private:
  manual_supervisor workers_{{.name = "workers"}};
};

TEST(ManualSupervisorOutside, TakesChildrenFromPlainThreads) {
  std::atomic<int> ran{0};
  service hub;
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    co_await hub.open();
    {
      std::vector<std::jthread> callbacks;
      for (int i = 0; i != 4; ++i) {
        callbacks.emplace_back([&] {
          for (int k = 0; k != 100; ++k) {
            hub.add(ran);
          }
        });
      }
    }
    co_await hub.close();
    EXPECT_EQ(ran.load(), 400);
  });
}

// ---- Its place in the tree ----------------------------------------------------------------------

TEST_P(ManualSupervisor, A1ItsParentsExitWaitsForItsEnd) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> closing = spawn([&]() -> task<> {
      co_await sleep_for(5s);
      co_await jobs.close();
    });
    co_await with_group([&](task_group&) -> task<> {
      jobs.open();
      jobs.spawn(sleeper(1s));
      co_return;
    });
    EXPECT_EQ(test_clock().elapsed(), 5s);
    co_await closing;
  });
}

TEST_P(ManualSupervisor, A2IsReachedByACancelFromAbove) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const task_handle<> closing = spawn([&]() -> task<> {
      co_await sleep_for(2s);
      co_await jobs.close();
    });
    co_await with_group([&](task_group& g) -> task<> {
      jobs.open();
      child = jobs.spawn(sleeper(1h));
      co_await sleep_for(1s);
      g.cancel("from above");
    });
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(child.result().reason().message(), "from above");
    EXPECT_EQ(test_clock().elapsed(), 2s);
    co_await closing;
  });
}

TEST_P(ManualSupervisor, CancelledWhileItClosesItEndsTheChildrenAndStops) {
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    task_handle<> slow;
    const task_handle<> host = spawn([&]() -> task<> {
      jobs.open();
      child = jobs.spawn(sleeper(1h));
      slow = jobs.spawn(shielded_sleeper(4s));
      co_await jobs.close();
      ADD_FAILURE() << "the host goes on";
    });
    co_await sleep_for(1s);
    host.cancel();
    EXPECT_THROW(co_await host, task_cancelled);
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_TRUE(slow.done());
    EXPECT_FALSE(jobs.is_open());
    EXPECT_EQ(test_clock().elapsed(), 4s);
  });
}

TEST_P(ManualSupervisor, ConcurrentShutdownsReturnTogether) {
  std::atomic<int> returned{0};
  manual_supervisor jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    jobs.open();
    jobs.spawn(shielded_sleeper(3s));
    co_await wait_all_tasks_blocked();
    const auto end = [&]() -> task<> {
      co_await jobs.shutdown();
      EXPECT_EQ(test_clock().elapsed(), 3s);
      returned.fetch_add(1);
    };
    std::vector<task_handle<>> callers;
    for (int i = 0; i != 4; ++i) {
      callers.push_back(spawn(end));
    }
    for (const task_handle<>& each : callers) {
      co_await each;
    }
    EXPECT_FALSE(jobs.is_open());
  });
  EXPECT_EQ(returned.load(), 4);
}

// ---- Its destructor -----------------------------------------------------------------------------

TEST(ManualSupervisorOutside, MayGoWithoutEverHavingBeenOpen) {
  const manual_supervisor jobs({.name = "never opened"});
  EXPECT_FALSE(jobs.is_open());
}

TEST(ManualSupervisorDeath, DestroyedWithLiveChildrenTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        rt.block_on([]() -> task<> {
          std::optional<manual_supervisor> jobs(std::in_place);
          jobs->open();
          jobs->spawn(sleeper(1h));
          jobs.reset();
          co_return;
        });
      },
      "supervisor");
}

}  // namespace
}  // namespace coppice
