#include <coppice/awaiter.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <array>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/failing_new.h"
#include "tests/support/manual_operation.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;
using testing_support::manual_operation;
using testing_support::performing;
using testing_support::wait_until_suspended;

static_assert(cancellable_operation<manual_operation>);
static_assert(!cancellable_operation<int>);
static_assert(awaitable<detail::perform_operation<manual_operation&>>);
static_assert(std::is_same_v<awaited_t<detail::perform_operation<manual_operation&>>, int>);

struct throwing_cancel {
  using value_type = int;
  void start(const completion<int>&) {}
  void cancel() {}
};
static_assert(!cancellable_operation<throwing_cancel>, "cancel() must be noexcept");

class Awaiter : public testing::TestWithParam<unsigned> {
 protected:
  // Outlives the executor, whose tasks use it.
  manual_operation operation_;
  accounted_executor on_{options{.threads = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Workers, Awaiter, testing::Values(1u, 2u, 4u));

TEST_P(Awaiter, GivesTheValueThatAnotherThreadCompletesItWith) {
  std::jthread other([&] { EXPECT_TRUE(operation_.completion_when_started().complete(7)); });
  EXPECT_EQ(on_.block_on(performing(operation_)), 7);
  EXPECT_EQ(operation_.starts, 1);
  EXPECT_EQ(operation_.cancels, 0);
}

TEST_P(Awaiter, MayBeCompletedFromWithinStart) {
  const auto body = []() -> task<int> {
    co_return co_await perform<int>([](completion<int> done) { EXPECT_TRUE(done.complete(7)); });
  };
  EXPECT_EQ(on_.block_on(body), 7);
}

TEST_P(Awaiter, TheTaskGoesOnOnAWorkerNeverInsideTheCall) {
  std::thread::id went_on_in;
  bool inside_start = false;
  const auto body = [&]() -> task<> {
    co_await perform(operation_);
    went_on_in = std::this_thread::get_id();
    co_await perform<void>([&](completion<> done) {
      inside_start = true;
      done.complete();
      inside_start = false;
    });
    EXPECT_FALSE(inside_start);
  };
  std::thread::id completed_in;
  std::jthread other([&] {
    completed_in = std::this_thread::get_id();
    operation_.completion_when_started().complete(7);
  });
  on_.block_on(body);
  other.join();
  EXPECT_NE(went_on_in, completed_in);
}

TEST_P(Awaiter, AnotherTaskMayCompleteIt) {
  const auto body = [&]() -> task<int> {
    task_handle<int> waiting = spawn(performing(operation_));
    while (waiting.status() != task_status::suspended) {
      co_await yield();
    }
    EXPECT_TRUE(operation_.completion_when_started().complete(7));
    if (on_.workers() == 1) {
      EXPECT_FALSE(waiting.done()) << "it does not run inside the call";
    }
    co_return co_await waiting;
  };
  EXPECT_EQ(on_.block_on(body), 7);
}

TEST_P(Awaiter, TheFirstCallWins) {
  const auto body = []() -> task<int> {
    co_return co_await perform<int>([](const completion<int>& done) {
      const completion<int> copy = done;
      EXPECT_TRUE(copy.complete(7));
      EXPECT_FALSE(done.complete(8));
      EXPECT_FALSE(done.fail(std::make_exception_ptr(1)));
      EXPECT_FALSE(done.stopped());
    });
  };
  EXPECT_EQ(on_.block_on(body), 7);
}

TEST_P(Awaiter, ThrowsWhatItFailsWith) {
  std::jthread other([&] {
    const completion<int> done = operation_.completion_when_started();
    EXPECT_TRUE(done.fail(std::make_exception_ptr(std::runtime_error("broken"))));
    EXPECT_FALSE(done.complete(7));
  });
  EXPECT_THROW(on_.block_on(performing(operation_)), std::runtime_error);
}

TEST_P(Awaiter, ACompletionDroppedWithoutACallIsAUsageError) {
  const auto body = []() -> task<int> {
    co_return co_await perform<int>([](const completion<int>&) {});
  };
  EXPECT_THROW(on_.block_on(body), usage_error);
}

TEST_P(Awaiter, OnlyTheLastCopyToBeDroppedCounts) {
  std::jthread other([&] {
    completion<int> done = operation_.completion_when_started();
    operation_.done = {};
    completion<int> copy = done;
    done = completion<int>();
    completion<int> moved = std::move(copy);
    EXPECT_TRUE(moved.complete(7));
  });
  EXPECT_EQ(on_.block_on(performing(operation_)), 7);
}

TEST_P(Awaiter, TheLastCopyMayBeDroppedByAnotherThread) {
  std::jthread other([&] {
    const completion<int> done = operation_.completion_when_started();
    operation_.done = {};
    operation_.started = {};
  });
  EXPECT_THROW(on_.block_on(performing(operation_)), usage_error);
}

TEST_P(Awaiter, AnEmptyCompletionCompletesNothing) {
  const completion<int> empty;
  EXPECT_FALSE(empty.complete(1));
  EXPECT_FALSE(empty.fail(nullptr));
  EXPECT_FALSE(empty.stopped());
  EXPECT_FALSE(completion<>().complete());
}

TEST_P(Awaiter, ACompletionMayOutliveTheExecutor) {
  completion<int> kept;
  {
    accounted_executor shorter({.threads = GetParam()});
    const auto body = [&]() -> task<int> {
      co_return co_await perform<int>([&](completion<int> done) {
        kept = done;
        done.complete(7);
      });
    };
    EXPECT_EQ(shorter.block_on(body), 7);
  }
  EXPECT_FALSE(kept.complete(8));
}

// ---- start() ------------------------------------------------------------------------------------

TEST_P(Awaiter, WhatStartThrowsIsThrownByTheAwait) {
  completion<int> kept;
  const auto body = [&]() -> task<> {
    const auto start = [&](completion<int> done) {
      kept = std::move(done);
      throw std::runtime_error("cannot begin");
    };
    EXPECT_THROW(co_await perform<int>(start), std::runtime_error);
    EXPECT_FALSE(kept.complete(7)) << "the await is over";
    co_await yield();
  };
  on_.block_on(body);
}

TEST_P(Awaiter, IsNotStartedIfAStopIsRequestedAlready) {
  const auto body = [&]() -> task<int> {
    this_task::ref().cancel("early");
    co_return co_await perform(operation_);
  };
  EXPECT_THROW(on_.block_on(body), task_cancelled);
  EXPECT_EQ(operation_.starts, 0);
  EXPECT_EQ(operation_.cancels, 0);
}

TEST_P(Awaiter, StartsOnTheWorkerOfTheTask) {
  const auto body = [&]() -> task<> {
    const std::thread::id before = std::this_thread::get_id();
    co_await perform<void>([before](completion<> done) {
      EXPECT_EQ(std::this_thread::get_id(), before);
      EXPECT_NE(this_task::id(), task_id::none);
      done.complete();
    });
  };
  on_.block_on(body);
}

// ---- Values -------------------------------------------------------------------------------------

struct no_default {
  explicit no_default(int n) : value(n) {}
  int value;
};

TEST_P(Awaiter, GivesValuesOfEveryKind) {
  const auto body = []() -> task<> {
    int object = 1;
    int& same = co_await perform<int&>([&](completion<int&> done) { done.complete(object); });
    EXPECT_EQ(&same, &object);
    const std::unique_ptr<int> owned = co_await perform<std::unique_ptr<int>>(
        [](completion<std::unique_ptr<int>> done) { done.complete(std::make_unique<int>(2)); });
    EXPECT_EQ(*owned, 2);
    const no_default made = co_await perform<no_default>(
        [](completion<no_default> done) { done.complete(no_default(3)); });
    EXPECT_EQ(made.value, 3);
    co_await perform<void>([](completion<> done) { EXPECT_TRUE(done.complete()); });
    co_await perform<void>([](completion<void> done) { EXPECT_TRUE(done.complete(nullptr)); });
  };
  on_.block_on(body);
}

TEST_P(Awaiter, CompletedAtOnceOverAndOverKeepsTheStackFlat) {
  const auto body = []() -> task<long> {
    long sum = 0;
    const auto at_once = [](completion<int> done) { done.complete(1); };
    for (int i = 0; i != 100'000; ++i) {
      sum += co_await perform<int>(at_once);
    }
    co_return sum;
  };
  EXPECT_EQ(on_.block_on(body), 100'000);
}

// ---- Memory -------------------------------------------------------------------------------------

TEST_P(Awaiter, WithoutMemoryTheAwaitThrowsBadAlloc) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  using large = std::array<char, 8192>;  // Beyond what workers keep blocks for.
  bool refused = false;
  const auto body = [&]() -> task<> {
    const auto start = [](completion<large> done) { done.complete(large()); };
    auto operation = perform<large>(start);
    std::optional<testing_support::fail_allocation_at> failure;
    failure.emplace(1, testing_support::failing_threads::caller);
    try {
      co_await std::move(operation);
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    failure.reset();
    co_await perform<large>(start);  // The task may go on to wait.
  };
  on_.block_on(body);
  EXPECT_TRUE(refused);
}

// ---- Dumps --------------------------------------------------------------------------------------

const char* waiting_for(const task_ref& of) {
  return detail::handle_access::cell(of, "test").waiting_for();
}

TEST_P(Awaiter, DumpsSayWhatTheTaskWaitsFor) {
  task_handle<int> waiting = on_.spawn(performing(operation_));
  wait_until_suspended(waiting);
  EXPECT_STREQ(waiting_for(waiting), "operation");
  operation_.completion_when_started().complete(7);
  on_.wait_until_idle();
  EXPECT_EQ(waiting_for(waiting), nullptr);
}

TEST_P(Awaiter, ADescriptionHoldsForTheNextWaitAndNoLonger) {
  manual_operation second;
  const auto body = [&]() -> task<> {
    describe_wait("the first answer");
    co_await perform(operation_);
    co_await perform(second);
  };
  task_handle<> waiting = on_.spawn(body);
  wait_until_suspended(waiting);
  EXPECT_STREQ(waiting_for(waiting), "the first answer");
  operation_.completion_when_started().complete(1);
  const completion<int> done = second.completion_when_started();
  wait_until_suspended(waiting);
  EXPECT_STREQ(waiting_for(waiting), "operation");
  done.complete(2);
  on_.wait_until_idle();
}

TEST_P(Awaiter, AnOperationMayDescribeItsWaitInStart) {
  completion<int> kept;
  std::latch started(1);
  const auto start = [&](completion<int> done) {
    describe_wait("the disk");
    kept = std::move(done);
    started.count_down();
  };
  const auto body = [&]() -> task<> { co_await perform<int>(start); };
  task_handle<> waiting = on_.spawn(body);
  started.wait();
  while (std::string("the disk") != waiting_for(waiting)) {
    std::this_thread::yield();
  }
  kept.complete(1);
  on_.wait_until_idle();
}

TEST_P(Awaiter, ADescriptionOfAnotherTaskDoesNotStay) {
  on_.block_on([]() -> task<> {
    describe_wait("never waited for");
    co_return;
  });
  describe_wait("outside tasks it does nothing");
  task_handle<int> waiting = on_.spawn(performing(operation_));
  wait_until_suspended(waiting);
  EXPECT_STREQ(waiting_for(waiting), "operation");
  operation_.completion_when_started().complete(7);
  on_.wait_until_idle();
}

}  // namespace
}  // namespace coppice
