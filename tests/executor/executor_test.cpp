#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <atomic>
#include <coroutine>
#include <latch>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/report_log.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::report_log;

class Executor : public testing_support::accounted_test {};

task<int> number(int n) {
  co_return n;
}
task<> sleeper(duration d) {
  co_await sleep_for(d);
}
task<> nothing() {
  co_return;
}

TEST_F(Executor, RunsTasksOnItsWorkersAlone) {
  accounted_executor tasks({.threads = 2});
  EXPECT_EQ(tasks.workers(), 2u);
  EXPECT_FALSE(tasks.on_own_worker());
  const std::thread::id here = std::this_thread::get_id();
  tasks.block_on([&]() -> task<> {
    EXPECT_TRUE(tasks.on_own_worker());
    EXPECT_NE(std::this_thread::get_id(), here);
    co_return;
  });
}

TEST_F(Executor, EndsAtOnceWhenIdle) {
  for (unsigned threads : {1u, 2u, 5u}) {
    const accounted_executor tasks({.threads = threads});
    EXPECT_EQ(tasks.workers(), threads);
  }
}

TEST_F(Executor, BlockOnGivesTheValueOrThrows) {
  accounted_executor tasks({.threads = 2});
  EXPECT_EQ(tasks.block_on(number(3)), 3);
  EXPECT_EQ(tasks.block_on(number, 4), 4);
  EXPECT_EQ(tasks.block_on([] { return 5; }), 5);
  EXPECT_EQ(*tasks.block_on([] { return std::make_unique<int>(6); }), 6);
  EXPECT_THROW(tasks.block_on([]() -> task<> { throw 1; }), int);
  EXPECT_THROW(tasks.block_on([] { throw std::runtime_error("plain"); }), std::runtime_error);
}

TEST_F(Executor, BlockOnThrowsTaskCancelledForACancelledMain) {
  accounted_executor tasks({.threads = 1});
  try {
    tasks.block_on([]() -> task<> {
      this_task::ref().cancel("given up");
      co_await checkpoint();
    });
    FAIL() << "it was cancelled";
  } catch (const task_cancelled& cancelled) {
    EXPECT_EQ(cancelled.reason().message(), "given up");
  }
}

TEST_F(Executor, BlockOnFromAnyWorkerIsAUsageError) {
  accounted_executor tasks({.threads = 1});
  accounted_executor other({.threads = 1});
  tasks.block_on([&]() -> task<> {
    EXPECT_THROW(tasks.block_on(number(1)), usage_error);
    EXPECT_THROW(other.block_on(number(1)), usage_error) << "of any executor";
    co_return;
  });
}

TEST_F(Executor, BlockOnMayBeCalledFromManyThreads) {
  accounted_executor tasks({.threads = 2});
  std::atomic<int> sum{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i != 8; ++i) {
      callers.emplace_back([&] {
        for (int k = 0; k != 25; ++k) {
          sum += tasks.block_on(number(1));
        }
      });
    }
  }
  EXPECT_EQ(sum, 200);
  EXPECT_EQ(tasks.counts().completed, 200u);
}

TEST_F(Executor, SeveralLiveInOneProcess) {
  accounted_executor one({.threads = 1});
  accounted_executor two({.threads = 2});
  const int got = one.block_on([&]() -> task<int> {
    const task_handle<bool> there = two.spawn([&] { return two.on_own_worker(); });
    const bool ran_there = co_await there;
    EXPECT_TRUE(one.on_own_worker()) << "a task stays with its own";
    co_return ran_there ? 1 : 0;
  });
  EXPECT_EQ(got, 1);
  EXPECT_EQ(one.counts().spawned, 1u);
  EXPECT_EQ(two.counts().spawned, 1u);
}

TEST_F(Executor, CountsHowTasksEnded) {
  report_log log;
  accounted_executor tasks({.threads = 2});
  tasks.set_error_handler(log.handler());
  tasks.spawn(number(1));
  tasks.spawn([] { throw 1; });
  const task_handle<> cancelled = tasks.spawn(sleeper(1h));
  cancelled.cancel();
  tasks.wait_until_idle();
  const task_counts counts = tasks.counts();
  EXPECT_EQ(counts.spawned, 3u);
  EXPECT_EQ(counts.completed, 1u);
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.cancelled, 1u);
  EXPECT_EQ(log.size(), 1u);
}

TEST_F(Executor, ListsLiveTasksInOrderOfTheirIds) {
  accounted_executor tasks({.threads = 1});
  std::vector<task_handle<>> handles;
  for (int i = 0; i != 5; ++i) {
    handles.push_back(tasks.spawn({.name = "sleeper"}, sleeper, 1h));
  }
  EXPECT_EQ(tasks.live_task_count(), 5u);
  const std::vector<task_ref> live = tasks.live_tasks();
  ASSERT_EQ(live.size(), 5u);
  for (std::size_t i = 0; i != live.size(); ++i) {
    EXPECT_EQ(live[i], handles[i]);
  }
  tasks.cancel_all("enough");
  tasks.wait_until_idle();
  EXPECT_TRUE(tasks.live_tasks().empty());
  EXPECT_EQ(handles[4].result().reason().message(), "enough");
}

TEST_F(Executor, CancelFromNowMeetsTasksToCome) {
  accounted_executor tasks({.threads = 1});
  tasks.cancel_from_now("closing time");
  bool ran = false;
  const task_handle<> late = tasks.spawn([&] { ran = true; });
  tasks.wait_until_idle();
  EXPECT_EQ(late.status(), task_status::cancelled);
  EXPECT_FALSE(ran);
  tasks.cancel_no_more();
  EXPECT_EQ(tasks.block_on(number(2)), 2);
}

TEST_F(Executor, WaitUntilIdleGivesUpAfterItsLimit) {
  accounted_executor tasks({.threads = 1});
  EXPECT_TRUE(tasks.wait_until_idle(0ns));
  tasks.spawn(sleeper(1h));
  EXPECT_FALSE(tasks.wait_until_idle(0ns));
  EXPECT_FALSE(tasks.wait_until_idle(1ms));
}

TEST_F(Executor, SetErrorHandlerGivesThePreviousOne) {
  report_log log;
  accounted_executor tasks({.threads = 1});
  EXPECT_FALSE(tasks.set_error_handler(log.handler())) << "the default is none";
  tasks.block_on([&]() -> task<> {
    const error_handler previous = set_error_handler([](const error_report&) {});
    EXPECT_TRUE(previous);
    set_error_handler(previous);
    co_return;
  });
  tasks.spawn([] { throw 1; });
  tasks.wait_until_idle();
  EXPECT_EQ(log.size(), 1u);
}

TEST_F(Executor, SurvivesAHandlerThatThrowsAndPrintsBoth) {
  testing::internal::CaptureStderr();
  {
    accounted_executor tasks({.threads = 1});
    tasks.set_error_handler(
        [](const error_report&) { throw std::runtime_error("handler failed"); });
    tasks.spawn([] { throw std::runtime_error("task failed"); });
    tasks.wait_until_idle();
    EXPECT_EQ(tasks.block_on(number(1)), 1);
  }
  const std::string printed = testing::internal::GetCapturedStderr();
  EXPECT_NE(printed.find("task failed"), std::string::npos) << printed;
  EXPECT_NE(printed.find("handler failed"), std::string::npos) << printed;
}

TEST_F(Executor, PrintsAFailureByDefault) {
  testing::internal::CaptureStderr();
  {
    accounted_executor tasks({.threads = 1});
    tasks.spawn({.name = "doomed"}, [] { throw std::runtime_error("unseen"); });
    tasks.wait_until_idle();
  }
  const std::string printed = testing::internal::GetCapturedStderr();
  EXPECT_NE(printed.find("unseen"), std::string::npos) << printed;
  EXPECT_NE(printed.find("doomed"), std::string::npos) << printed;
}

TEST_F(Executor, ItsDestructorCancelsWhatIsLeft) {
  task_handle<> handle;
  bool ended = false;
  struct on_end {
    bool& flag;
    ~on_end() { flag = true; }
  };
  const auto body = [&]() -> task<> {
    const on_end mark{ended};
    co_await sleep_for(1h);
  };
  {
    executor tasks({.threads = 1});
    handle = tasks.spawn(body);
    tasks.block_on([] {});
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(handle.result().reason().kind(), cancel_kind::shutdown);
}

TEST_F(Executor, ItsDestructorWaitsForWhatRuns) {
  std::latch begun(1);
  std::atomic<bool> ended{false};
  {
    executor tasks({.threads = 1});
    tasks.spawn([&] {
      begun.count_down();
      for (int i = 0; i != 1'000; ++i) {
        std::this_thread::yield();
      }
      ended = true;
    });
    begun.wait();
  }
  EXPECT_TRUE(ended);
}

using ExecutorDeathTest = Executor;

TEST_F(ExecutorDeathTest, DestroyedByItsOwnTaskEndsTheProcessWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto* const tasks = new executor({.threads = 1});
        tasks->block_on([=] { delete tasks; });
      },
      "destroyed by one of its own tasks");
}

TEST_F(Executor, ScheduleGivesWayInItsOwnTasksAndRefusesOthers) {
  accounted_executor tasks({.threads = 1});
  accounted_executor other({.threads = 1});
  tasks.block_on([&]() -> task<> {
    bool other_ran = false;
    const auto runs = [&]() -> task<> {
      other_ran = true;
      co_return;
    };
    const task_handle<> handle = spawn(runs);
    co_await tasks.schedule();
    EXPECT_TRUE(other_ran);
    co_await handle;
    EXPECT_THROW(co_await other.schedule(), usage_error);
  });
}

// A coroutine type of somebody else's, that runs by itself.
struct detached {
  struct promise_type {
    detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

TEST_F(Executor, ScheduleBringsForeignCoroutinesToAWorker) {
  accounted_executor tasks({.threads = 1});
  std::latch done(1);
  const auto foreign = [&]() -> detached {
    EXPECT_FALSE(tasks.on_own_worker());
    co_await tasks.schedule();
    EXPECT_TRUE(tasks.on_own_worker());
    EXPECT_EQ(this_task::id(), task_id::none);
    EXPECT_THROW(spawn(nothing()), usage_error);
    done.count_down();
  };
  foreign();
  done.wait();
}

TEST_F(Executor, MakesIdsThatAreNeverUsedTwice) {
  accounted_executor tasks({.threads = 2});
  std::mutex mutex;
  std::set<task_id> ids;
  std::vector<std::jthread> threads;
  for (int t = 0; t != 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i != 1'500; ++i) {
        const task_id id = tasks.spawn(nothing()).id();
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(ids.insert(id).second);
      }
    });
  }
  threads.clear();
  EXPECT_FALSE(ids.contains(task_id::none));
}

TEST_F(Executor, EffectiveOptionsHaveEveryField) {
  const accounted_executor tasks({.threads = 3});
  const options& all = tasks.effective_options();
  EXPECT_EQ(all.threads, 3u);
  EXPECT_TRUE(all.spin && all.yield_budget && all.max_tasks && all.frame_cache);
  EXPECT_TRUE(all.shutdown_timeout && all.unhandled && all.strict);
  EXPECT_THROW(executor({.threads = 0}), usage_error);
}

}  // namespace
}  // namespace coppice
