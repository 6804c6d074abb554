#include <coppice/awaiter.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <latch>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "tests/support/accounting.h"
#include "tests/support/manual_operation.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;
using testing_support::manual_operation;
using testing_support::performing;
using testing_support::wait_until_suspended;

class AwaiterStop : public testing::TestWithParam<unsigned> {
 protected:
  // Outlives the executor, whose tasks use it.
  manual_operation operation_;
  accounted_executor on_{options{.threads = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Workers, AwaiterStop, testing::Values(1u, 2u, 4u));

TEST_P(AwaiterStop, AStopCallsCancelAndStoppedStopsTheTask) {
  bool went_on = false;
  std::thread::id cancelled_in;
  operation_.on_cancel = [&] {
    cancelled_in = std::this_thread::get_id();
    EXPECT_TRUE(operation_.done.stopped());
    EXPECT_FALSE(operation_.done.complete(1));
  };
  const auto body = [&]() -> task<> {
    co_await perform(operation_);
    went_on = true;
  };
  task_handle<> waiting = on_.spawn(body);
  wait_until_suspended(waiting);
  waiting.cancel("enough");
  on_.wait_until_idle();
  EXPECT_EQ(waiting.status(), task_status::cancelled);
  EXPECT_EQ(waiting.result().reason().message(), "enough");
  EXPECT_FALSE(went_on);
  EXPECT_EQ(operation_.cancels, 1);
  EXPECT_NE(cancelled_in, std::this_thread::get_id()) << "not inside the call of cancel()";
}

TEST_P(AwaiterStop, StoppedMayComeLaterFromAnotherThread) {
  std::latch asked(1);
  operation_.on_cancel = [&] { asked.count_down(); };
  std::jthread other([&] {
    const completion<int> done = operation_.completion_when_started();
    asked.wait();
    EXPECT_TRUE(done.stopped());
  });
  task_handle<int> waiting = on_.spawn(performing(operation_));
  wait_until_suspended(waiting);
  waiting.cancel();
  on_.wait_until_idle();
  EXPECT_EQ(waiting.status(), task_status::cancelled);
}

TEST_P(AwaiterStop, StoppedUnaskedIsAUsageError) {
  std::jthread other([&] { EXPECT_TRUE(operation_.completion_when_started().stopped()); });
  EXPECT_THROW(on_.block_on(performing(operation_)), usage_error);
}

TEST_P(AwaiterStop, AValueThatComesAllTheSameIsDelivered) {
  operation_.on_cancel = [&] { operation_.done.complete(7); };
  std::optional<int> got;
  bool passed_the_next_point = false;
  const auto body = [&]() -> task<> {
    got = co_await perform(operation_);
    EXPECT_TRUE(cancel_requested());
    co_await yield();
    passed_the_next_point = true;
  };
  task_handle<> waiting = on_.spawn(body);
  wait_until_suspended(waiting);
  waiting.cancel();
  on_.wait_until_idle();
  EXPECT_EQ(got, 7);
  EXPECT_FALSE(passed_the_next_point);
  EXPECT_EQ(waiting.status(), task_status::cancelled);
}

TEST_P(AwaiterStop, AFailureThatComesAllTheSameIsThrown) {
  operation_.on_cancel = [&] {
    operation_.done.fail(std::make_exception_ptr(std::runtime_error("late")));
  };
  bool thrown = false;
  const auto body = [&]() -> task<> {
    try {
      co_await perform(operation_);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
  };
  task_handle<> waiting = on_.spawn(body);
  wait_until_suspended(waiting);
  waiting.cancel();
  on_.wait_until_idle();
  EXPECT_TRUE(thrown);
  EXPECT_EQ(waiting.status(), task_status::completed);
}

TEST_P(AwaiterStop, ACompletionDroppedInCancelIsAUsageError) {
  operation_.on_cancel = [&] {
    operation_.started = {};
    operation_.done = {};
  };
  const auto body = [&]() -> task<> { EXPECT_THROW(co_await perform(operation_), usage_error); };
  task_handle<> waiting = on_.spawn(body);
  wait_until_suspended(waiting);
  waiting.cancel();
  on_.wait_until_idle();
  EXPECT_EQ(waiting.status(), task_status::completed);
}

TEST_P(AwaiterStop, IsAskedAtMostOnce) {
  task_handle<int> waiting = on_.spawn(performing(operation_));
  const completion<int> done = operation_.completion_when_started();
  for (int i = 0; i != 3; ++i) {
    waiting.cancel();
    on_.block_on([] {});
  }
  EXPECT_TRUE(done.complete(7));
  on_.wait_until_idle();
  EXPECT_LE(operation_.cancels, 1);
  EXPECT_EQ(waiting.status(), task_status::completed);
}

// The stop comes between the look on entry and the suspension; start() has returned when cancel() is called.
TEST_P(AwaiterStop, AStopDuringStartCallsCancelBehindIt) {
  bool in_start = false;
  bool asked = false;
  completion<int> kept;
  const auto start = [&](completion<int> done) {
    in_start = true;
    kept = std::move(done);
    this_task::ref().cancel();
    in_start = false;
  };
  const auto cancel = [&]() noexcept {
    EXPECT_FALSE(in_start);
    asked = true;
    EXPECT_TRUE(kept.stopped());
  };
  const auto body = [&]() -> task<> { co_await perform<int>(start, cancel); };
  EXPECT_THROW(on_.block_on(body), task_cancelled);
  EXPECT_TRUE(asked);
}

TEST_P(AwaiterStop, WhatHasBeenCompletedIsNotAsked) {
  bool asked = false;
  const auto start = [](completion<int> done) {
    done.complete(7);
    this_task::ref().cancel();
  };
  const auto cancel = [&]() noexcept { asked = true; };
  std::optional<int> got;
  const auto body = [&]() -> task<> {
    got = co_await perform<int>(start, cancel);
    co_await yield();
  };
  EXPECT_THROW(on_.block_on(body), task_cancelled);
  EXPECT_EQ(got, 7);
  EXPECT_FALSE(asked);
}

TEST_P(AwaiterStop, WithoutACancelTheStopWaitsForTheNextPoint) {
  std::promise<completion<int>> started;
  std::optional<int> got;
  bool passed_the_next_point = false;
  const auto start = [&](completion<int> done) { started.set_value(std::move(done)); };
  const auto body = [&]() -> task<> {
    got = co_await perform<int>(start);
    co_await yield();
    passed_the_next_point = true;
  };
  task_handle<> waiting = on_.spawn(body);
  const completion<int> done = started.get_future().get();
  wait_until_suspended(waiting);
  waiting.cancel();
  for (int i = 0; i != 10; ++i) {
    on_.block_on([] {});
  }
  EXPECT_FALSE(waiting.done());
  EXPECT_TRUE(done.complete(7));
  on_.wait_until_idle();
  EXPECT_EQ(got, 7);
  EXPECT_FALSE(passed_the_next_point);
  EXPECT_EQ(waiting.status(), task_status::cancelled);
}

// ---- The object ---------------------------------------------------------------------------------

// Says where it is and when it goes.
struct placed {
  using value_type = int;

  struct record {
    placed* at_start = nullptr;
    placed* at_cancel = nullptr;
    placed* destroyed = nullptr;
    std::promise<completion<int>> started;
    std::function<void()> on_cancel;
  };

  explicit placed(record& in) : in_(&in) {}
  placed(placed&& other) noexcept : in_(std::exchange(other.in_, nullptr)) {}
  placed& operator=(placed&&) = delete;
  ~placed() {
    if (in_ != nullptr) {
      in_->destroyed = this;
    }
  }

  void start(completion<int> done) {
    in_->at_start = this;
    in_->started.set_value(std::move(done));
  }
  void cancel() noexcept {
    in_->at_cancel = this;
    in_->on_cancel();
  }

  record* in_;
};

TEST_P(AwaiterStop, AnRvalueIsMovedInAndLivesUnmovedUntilItIsCompleted) {
  placed::record seen;
  std::latch asked(1);
  seen.on_cancel = [&] { asked.count_down(); };
  const auto body = [&]() -> task<int> { co_return co_await perform(placed(seen)); };
  task_handle<int> waiting = on_.spawn(body);
  const completion<int> done = seen.started.get_future().get();
  wait_until_suspended(waiting);
  waiting.cancel();
  asked.wait();
  EXPECT_EQ(seen.at_cancel, seen.at_start);
  EXPECT_EQ(seen.destroyed, nullptr);
  EXPECT_TRUE(done.complete(7));
  on_.wait_until_idle();
  EXPECT_EQ(seen.destroyed, seen.at_start);
}

TEST_P(AwaiterStop, AnLvalueIsTakenByReference) {
  placed::record seen;
  const auto body = [&]() -> task<> {
    placed object(seen);
    co_await perform(object);
    EXPECT_EQ(seen.at_start, &object);
    EXPECT_EQ(seen.destroyed, nullptr);
  };
  std::jthread other([&] { seen.started.get_future().get().complete(7); });
  on_.block_on(body);
}

TEST_P(AwaiterStop, TheObjectLivesWhileCancelRuns) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "cancel() holds the only worker";
  }
  placed::record seen;
  std::latch cancelling(1);
  std::latch completed(1);
  seen.on_cancel = [&] {
    cancelling.count_down();
    completed.wait();
    for (int i = 0; i != 100; ++i) {
      std::this_thread::yield();
      EXPECT_EQ(seen.destroyed, nullptr);
    }
  };
  const auto body = [&]() -> task<int> { co_return co_await perform(placed(seen)); };
  task_handle<int> waiting = on_.spawn(body);
  const completion<int> done = seen.started.get_future().get();
  wait_until_suspended(waiting);
  waiting.cancel();
  cancelling.wait();
  EXPECT_TRUE(done.complete(7)) << "the call does not wait for cancel()";
  completed.count_down();
  on_.wait_until_idle();
  EXPECT_EQ(seen.destroyed, seen.at_start);
  EXPECT_EQ(waiting.status(), task_status::completed) << "a value that has come is delivered";
}

TEST_P(AwaiterStop, CallablesGivenAsLvaluesAreTakenByReference) {
  struct counting {
    void operator()(completion<int> done) {
      ++calls;
      done.complete(calls);
    }
    int calls = 0;
  };
  const auto body = []() -> task<> {
    counting start;
    EXPECT_EQ(co_await perform<int>(start), 1);
    EXPECT_EQ(co_await perform<int>(start), 2);
    EXPECT_EQ(start.calls, 2);
  };
  on_.block_on(body);
}

}  // namespace
}  // namespace coppice
