#include <coppice/awaiter.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <coroutine>
#include <exception>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/support/accounting.h"
#include "tests/support/foreign_coroutine.h"
#include "tests/support/manual_operation.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;
using testing_support::foreign_detached;
using testing_support::foreign_task;
using testing_support::wait_until_suspended;

class ForeignCoroutine : public testing::TestWithParam<unsigned> {
 protected:
  testing_support::manual_operation operation_;
  accounted_executor on_{options{.threads = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Workers, ForeignCoroutine, testing::Values(1u, 2u, 4u));

// Suspends, and tells who is to resume.
class suspended_in {
 public:
  explicit suspended_in(std::promise<std::coroutine_handle<>>& told) : told_(told) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) const { told_.set_value(awaiting); }
  void await_resume() const noexcept {}

 private:
  std::promise<std::coroutine_handle<>>& told_;
};

task<int> number(int n) {
  co_await yield();
  co_return n;
}

foreign_task<int> twice(task<int> of) {
  co_return 2 * co_await std::move(of);
}

TEST_P(ForeignCoroutine, GetsTheValueOfATask) {
  const auto body = []() -> task<int> { co_return co_await twice(number(3)); };
  EXPECT_EQ(on_.block_on(body), 6);
}

TEST_P(ForeignCoroutine, GetsTheFailureOfATask) {
  const auto failing = []() -> task<int> {
    co_await yield();
    throw std::runtime_error("ours");
  };
  const auto body = [&]() -> task<int> { co_return co_await twice(failing()); };
  EXPECT_THROW(on_.block_on(body), std::runtime_error);
}

TEST_P(ForeignCoroutine, TheTaskStandsUnderTheScopeOfItsCaller) {
  const auto own_id = []() -> task<int> { co_return static_cast<int>(this_task::id()); };
  const auto body = [&]() -> task<> {
    EXPECT_EQ(co_await twice(own_id()), 2 * static_cast<int>(this_task::id()));
  };
  on_.block_on(body);
}

TEST_P(ForeignCoroutine, MayAwaitManyTasks) {
  const auto theirs = [](int n) -> foreign_task<int> {
    int sum = 0;
    for (int i = 0; i != n; ++i) {
      sum += co_await number(1);
    }
    co_return sum;
  };
  const auto body = [&]() -> task<int> { co_return co_await theirs(1000); };
  EXPECT_EQ(on_.block_on(body), 1000);
}

TEST_P(ForeignCoroutine, OnAThreadThatIsNoWorkerTheAwaitIsAUsageError) {
  std::promise<std::string> told;
  const auto theirs = [&]() -> foreign_detached {
    try {
      co_await number(1);
      told.set_value("");
    } catch (const usage_error& error) {
      told.set_value(error.what());
    }
  };
  theirs();
  EXPECT_NE(told.get_future().get().find("no worker"), std::string::npos);
}

TEST_P(ForeignCoroutine, MayComeToAWorkerByItself) {
  std::promise<int> result;
  const auto theirs = [&]() -> foreign_detached {
    co_await on_.schedule();
    const int n = co_await number(4);
    EXPECT_TRUE(on_.on_own_worker());
    result.set_value(n);
  };
  theirs();
  EXPECT_EQ(result.get_future().get(), 4);
}

// What a stop in the task throws there escapes it, and its caller.
TEST_P(ForeignCoroutine, AStopGoesThroughItAsOperationCancelled) {
  std::string seen;
  bool went_on = false;
  const auto theirs = [&](task<int> of) -> foreign_task<int> {
    try {
      co_return co_await std::move(of);
    } catch (const operation_cancelled& stop) {
      seen = stop.what();
      throw;
    }
  };
  const auto middle = [&]() -> task<int> {
    const int n = co_await theirs(testing_support::performing(operation_));
    went_on = true;
    co_return n;
  };
  const auto body = [&]() -> task<> {
    co_await middle();
    went_on = true;
  };
  operation_.on_cancel = [&] { operation_.done.stopped(); };
  task_handle<> waiting = on_.spawn(body);
  wait_until_suspended(waiting);
  waiting.cancel("enough");
  on_.wait_until_idle();
  EXPECT_NE(seen.find("enough"), std::string::npos) << seen;
  EXPECT_FALSE(went_on);
  EXPECT_EQ(waiting.status(), task_status::cancelled);
}

TEST_P(ForeignCoroutine, MayKeepAStopToItself) {
  const auto theirs = [](task<int> of) -> foreign_task<int> {
    try {
      co_return co_await std::move(of);
    } catch (const operation_cancelled&) {
      co_return 5;
    }
  };
  std::optional<int> got;
  const auto body = [&]() -> task<> {
    got = co_await theirs(testing_support::performing(operation_));
  };
  operation_.on_cancel = [&] { operation_.done.stopped(); };
  task_handle<> waiting = on_.spawn(body);
  wait_until_suspended(waiting);
  waiting.cancel();
  on_.wait_until_idle();
  EXPECT_EQ(got, 5);
  EXPECT_EQ(waiting.status(), task_status::completed);
}

// A coroutine as those of std::execution: its promise says what goes on when it is stopped.
struct sender_like {
  struct promise_type {
    sender_like get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    std::coroutine_handle<> unhandled_stopped() noexcept {
      ++stops;
      return on_stop;
    }

    int stops = 0;
    std::coroutine_handle<> on_stop;
  };

  std::coroutine_handle<promise_type> coroutine;
};

TEST_P(ForeignCoroutine, WithUnhandledStoppedIsToldOfAStop) {
  bool went_on = false;
  std::promise<std::coroutine_handle<>> told;
  const std::shared_future<std::coroutine_handle<>> caller = told.get_future().share();
  const auto theirs = [&]() -> sender_like {
    co_await testing_support::performing(operation_);
    went_on = true;
  };
  const auto continuation = [&]() -> sender_like {
    caller.get().resume();
    co_return;
  };
  const sender_like waiting = theirs();
  const sender_like when_stopped = continuation();
  waiting.coroutine.promise().on_stop = when_stopped.coroutine;
  operation_.on_cancel = [&] { operation_.done.stopped(); };
  {
    accounted_executor on({.threads = GetParam()});
    const auto body = [&]() -> task<> {
      waiting.coroutine.resume();
      co_await suspended_in(told);
    };
    task_handle<> calling = on.spawn(body);
    (void)operation_.completion_when_started();
    caller.wait();
    calling.cancel();
    on.wait_until_idle();
  }
  EXPECT_FALSE(went_on);
  EXPECT_EQ(waiting.coroutine.promise().stops, 1);
  waiting.coroutine.destroy();
  when_stopped.coroutine.destroy();
}

task<int> cancelling_itself() {
  this_task::ref().cancel("enough");
  throw operation_cancelled("on its way");
  co_return 1;
}

TEST_P(ForeignCoroutine, OperationCancelledEscapingATaskThatIsToStopIsAStop) {
  bool went_on = false;
  const auto body = [&]() -> task<> {
    try {
      co_await cancelling_itself();
    } catch (...) {
    }
    went_on = true;
  };
  task_handle<> stopped = on_.spawn(body);
  on_.wait_until_idle();
  EXPECT_FALSE(went_on);
  EXPECT_EQ(stopped.status(), task_status::cancelled);
  EXPECT_EQ(stopped.result().reason().message(), "enough");
}

TEST_P(ForeignCoroutine, OperationCancelledOtherwiseIsAFailure) {
  const auto body = []() -> task<> {
    throw operation_cancelled("nobody asked");
    co_return;
  };
  EXPECT_THROW(on_.block_on(body), operation_cancelled);
}

}  // namespace
}  // namespace coppice
