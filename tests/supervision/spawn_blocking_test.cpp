// Code that blocks, awaited by tasks of a tree.
#include <coppice/blocking.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/held_call.h"
#include "tests/support/report_log.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::held_call;
using testing_support::report_log;

class SpawnBlocking : public testing_support::tree_test {
 protected:
  static test_options with_threads(unsigned threads) {
    return {.workers = GetParam(), .settings = {.blocking_threads = threads}};
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, SpawnBlocking, testing::Values(1u, 2u, 4u));

// Awaits the call, then says what it gave.
task<int> calling(std::function<int()> fn, blocking_options options, std::atomic<int>& seen) {
  seen = co_await spawn_blocking(options, fn);
  co_await checkpoint();
  co_return seen.load();
}

// ---- Values and failures ------------------------------------------------------------------------

TEST_P(SpawnBlocking, GivesWhatTheCallReturnsFromAThreadThatIsNoWorker) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const bool on_worker = co_await spawn_blocking([] { return detail::this_worker() != nullptr; });
    EXPECT_FALSE(on_worker);
    const bool in_task =
        co_await spawn_blocking([] { return detail::current_task_id() != task_id::none; });
    EXPECT_FALSE(in_task);
    int here = 0;
    int& there = co_await spawn_blocking([&]() -> int& { return here; });
    EXPECT_EQ(&there, &here);
    std::unique_ptr<int> moved_out =
        co_await spawn_blocking([] { return std::make_unique<int>(7); });
    EXPECT_EQ(*moved_out, 7);
    co_await spawn_blocking([&] { here = 3; });
    EXPECT_EQ(here, 3);
  });
}

TEST_P(SpawnBlocking, ThrowsWhatTheCallThrows) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::string caught;
    try {
      co_await spawn_blocking([]() -> int { throw std::runtime_error("no such file"); });
    } catch (const std::runtime_error& failure) {
      caught = failure.what();
    }
    EXPECT_EQ(caught, "no such file");
  });
}

TEST_P(SpawnBlocking, OwnsTheCallable) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const auto shared = std::make_shared<int>(5);
    const auto copied = [shared] { return shared.use_count(); };
    const long copies = co_await spawn_blocking(copied);
    EXPECT_EQ(copies, 3) << "the local, the named lambda, the call's copy";
    EXPECT_EQ(shared.use_count(), 2) << "the copy is gone when the await goes on";
    auto once = [only = std::make_unique<int>(6)] { return *only; };
    const int value = co_await spawn_blocking(moved(once));
    EXPECT_EQ(value, 6);
  });
}

TEST_P(SpawnBlocking, SeveralRunAtOnceByGather) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    std::latch met(2);
    const auto meet = [&] {
      met.arrive_and_wait();
      return 1;
    };
    const auto [a, b] = co_await gather(spawn_blocking(meet), spawn_blocking(meet));
    EXPECT_EQ(a + b, 2);
  });
}

TEST_P(SpawnBlocking, AFailureCancelsTheRestOfAGather) {
  test_runtime rt(with_threads(1));
  rt.block_on([&]() -> task<> {
    std::string caught;
    try {
      co_await gather(spawn_blocking([] { throw std::runtime_error("first"); }),
                      sleep_for(forever));
    } catch (const std::runtime_error& failure) {
      caught = failure.what();
    }
    EXPECT_EQ(caught, "first");
  });
}

TEST_P(SpawnBlocking, NoMoreThanTheLimitRunAtOnce) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  test_runtime rt(with_threads(2));
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      const auto call = [&]() -> task<> {
        co_await spawn_blocking([&] {
          const int now_running = ++running;
          int before = most.load();
          while (before < now_running && !most.compare_exchange_weak(before, now_running)) {
          }
          std::this_thread::yield();
          --running;
        });
      };
      for (int i = 0; i != 50; ++i) {
        group.spawn(call);
      }
      co_return;
    });
  });
  EXPECT_LE(most, 2);
}

TEST_P(SpawnBlocking, TheCallMayItselfBlockOnTheRuntime) {
  test_runtime rt(workers());
  const int value = rt.block_on([&]() -> task<int> {
    co_return co_await spawn_blocking([&] { return rt.block_on(testing_support::number(9)); });
  });
  EXPECT_EQ(value, 9);
}

// ---- Virtual time -------------------------------------------------------------------------------

TEST_P(SpawnBlocking, TimeStandsStillWhileTheCallRuns) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const time_point begin = now();
    for (int i = 0; i != 20; ++i) {
      const int value = co_await with_timeout(1ms, spawn_blocking([i] {
                                                std::this_thread::yield();
                                                return i;
                                              }));
      EXPECT_EQ(value, i);
    }
    EXPECT_EQ(now(), begin);
  });
}

TEST_P(SpawnBlocking, TimeGoesOnBehindACallThatBlocksForLong) {
  held_call call;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const blocking_options detached{.on_cancel = blocking_cancel::detach};
    const bool finished = co_await move_on_after(1h, spawn_blocking(detached, std::ref(call)));
    EXPECT_FALSE(finished);
    call.release();
  });
}

TEST_P(SpawnBlocking, WaitingForOneIsNoDeadlock) {
  held_call call;
  std::jthread releasing;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    releasing = std::jthread([&] {
      call.wait_until_begun();
      call.release();
    });
    co_await spawn_blocking(std::ref(call));
  });
}

// ---- Stops --------------------------------------------------------------------------------------

TEST_P(SpawnBlocking, StoppedOnEntryNeverRuns) {
  bool ran = false;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await spawn_blocking([&] { ran = true; });
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
  EXPECT_FALSE(ran);
}

TEST_P(SpawnBlocking, StoppedBeforeItHasBegunNeverRuns) {
  for (const blocking_cancel how : {blocking_cancel::wait, blocking_cancel::detach}) {
    held_call first;
    bool ran = false;
    test_runtime rt(with_threads(1));
    const task_handle<> holding =
        rt.spawn([&]() -> task<> { co_await spawn_blocking(std::ref(first)); });
    rt.run_until_blocked();
    first.wait_until_begun();
    const task_handle<> queued = rt.spawn(
        [&]() -> task<> { co_await spawn_blocking({.on_cancel = how}, [&] { ran = true; }); });
    rt.run_until_blocked();
    queued.cancel();
    rt.run_until_blocked();
    EXPECT_EQ(queued.status(), task_status::cancelled);
    first.release();
    rt.block_on([&]() -> task<> { co_await holding; });
    EXPECT_FALSE(ran);
  }
}

TEST_P(SpawnBlocking, ToldToWaitAStopWaitsAndTheValueIsDelivered) {
  held_call call;
  std::atomic<int> seen{0};
  test_runtime rt(workers());
  const std::function<int()> fn = [&] {
    call();
    return 7;
  };
  const task_handle<int> waiting = rt.spawn(calling, fn, blocking_options{}, std::ref(seen));
  rt.run_until_blocked();
  call.wait_until_begun();
  waiting.cancel();
  rt.run_until_blocked();
  EXPECT_FALSE(waiting.done());
  EXPECT_EQ(waiting.status(), task_status::suspended);
  call.release();
  rt.shutdown();
  EXPECT_EQ(seen, 7);
  EXPECT_EQ(waiting.status(), task_status::cancelled) << "at its next point";
}

TEST_P(SpawnBlocking, ToldToWaitAFailureBehindTheStopIsTheTasks) {
  report_log log;
  held_call call;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  const task_handle<> waiting = rt.spawn([&]() -> task<> {
    co_await spawn_blocking([&] {
      call();
      throw std::runtime_error("late");
    });
  });
  rt.run_until_blocked();
  call.wait_until_begun();
  waiting.cancel();
  rt.run_until_blocked();
  call.release();
  rt.shutdown();
  EXPECT_EQ(waiting.status(), task_status::failed);
  EXPECT_EQ(log.messages(), std::vector<std::string>{"late"});
}

TEST_P(SpawnBlocking, ToldToDetachAStopGoesOnAtOnceAndTheCallByItself) {
  held_call call;
  std::atomic<int> seen{0};
  std::atomic<bool> returned{false};
  test_runtime rt(workers());
  const std::function<int()> fn = [&] {
    call();
    returned = true;
    return 7;
  };
  const task_handle<int> waiting =
      rt.spawn(calling, fn, blocking_options{.on_cancel = blocking_cancel::detach}, std::ref(seen));
  rt.run_until_blocked();
  call.wait_until_begun();
  waiting.cancel();
  rt.run_until_blocked();
  EXPECT_EQ(waiting.status(), task_status::cancelled);
  EXPECT_FALSE(returned);
  EXPECT_EQ(rt.live_frames(), 0u);
  call.release();
  EXPECT_TRUE(rt.shutdown());
  EXPECT_TRUE(returned) << "shutdown waits for it";
  EXPECT_EQ(seen, 0);
}

TEST_P(SpawnBlocking, ToldToDetachALateFailureIsReportedOnce) {
  report_log log;
  held_call call;
  test_runtime rt(workers());
  rt.set_error_handler(log.handler());
  const task_handle<> waiting = rt.spawn([&]() -> task<> {
    const auto fails = [&] {
      call();
      throw std::runtime_error("nobody is left");
    };
    co_await spawn_blocking({.name = "resolve", .on_cancel = blocking_cancel::detach}, fails);
  });
  rt.run_until_blocked();
  call.wait_until_begun();
  waiting.cancel();
  rt.run_until_blocked();
  EXPECT_EQ(waiting.status(), task_status::cancelled);
  call.release();
  rt.shutdown();
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].origin, error_origin::never_retrieved);
  EXPECT_EQ(reports[0].entry.message(), "nobody is left");
  EXPECT_EQ(reports[0].entry.name(), "resolve");
  EXPECT_EQ(reports[0].entry.id(), waiting.id());
  EXPECT_NE(reports[0].entry.site().line, 0u);
}

TEST_P(SpawnBlocking, ToldToDetachAFailureBeforeTheStopIsThrown) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    const blocking_options detached{.on_cancel = blocking_cancel::detach};
    const auto fails = [] { throw std::runtime_error("in time"); };
    const outcome<> end = co_await as_result(spawn_blocking(detached, fails));
    EXPECT_TRUE(end.failed());
    EXPECT_EQ(end.entry().message(), "in time");
  });
}

TEST_P(SpawnBlocking, ATokenTellsTheCallOfTheStop) {
  for (const blocking_cancel how : {blocking_cancel::wait, blocking_cancel::detach}) {
    std::latch begun(1);
    std::atomic<bool> told{false};
    test_runtime rt(workers());
    const task_handle<> waiting = rt.spawn([&]() -> task<> {
      const auto polls = [&](cancel_token token) {
        begun.count_down();
        while (!token.stop_requested()) {
          std::this_thread::yield();
        }
        told = true;
      };
      co_await spawn_blocking({.on_cancel = how}, polls);
      co_await checkpoint();
    });
    rt.run_until_blocked();
    begun.wait();
    waiting.cancel();
    rt.shutdown();
    EXPECT_EQ(waiting.status(), task_status::cancelled);
    EXPECT_TRUE(told);
  }
}

TEST_P(SpawnBlocking, ShieldedItIsNotLeft) {
  held_call call;
  bool finished = false;
  test_runtime rt(workers());
  const task_handle<> waiting = rt.spawn([&]() -> task<> {
    const blocking_options detached{.on_cancel = blocking_cancel::detach};
    co_await shield(spawn_blocking(detached, std::ref(call)));
    finished = true;
  });
  rt.run_until_blocked();
  call.wait_until_begun();
  waiting.cancel();
  rt.run_until_blocked();
  EXPECT_FALSE(waiting.done());
  call.release();
  rt.shutdown();
  EXPECT_TRUE(finished);
}

TEST_P(SpawnBlocking, TheEndOfABlockOnDoesNotWaitForACallThatWasLeft) {
  held_call call;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const blocking_options detached{.on_cancel = blocking_cancel::detach};
    co_await move_on_after(1s, spawn_blocking(detached, std::ref(call)));
  });
  EXPECT_EQ(rt.live_frames(), 0u);
  call.release();
}

}  // namespace
}  // namespace coppice
