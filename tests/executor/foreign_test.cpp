#include <coppice/awaiter.h>
#include <coppice/detail/foreign.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <coroutine>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

#include "tests/support/accounting.h"
#include "tests/support/foreign_coroutine.h"
#include "tests/support/manual_operation.h"

namespace other_library {

// Awaited through an operator of its namespace.
struct ticket {
  int number;
};

struct ticket_awaiter {
  int number;
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return number; }
};

ticket_awaiter operator co_await(const ticket& of) {
  return {of.number};
}

}  // namespace other_library

namespace coppice {
namespace {

using testing_support::accounted_executor;
using testing_support::on_new_thread;
using testing_support::wait_until_suspended;

// Suspends; then the test does with the coroutine what it likes. Says what the task did to it.
struct held {
  std::promise<std::coroutine_handle<>> suspended;
  std::function<void(std::coroutine_handle<>)> in_await_suspend =
      [this](std::coroutine_handle<> h) { suspended.set_value(h); };
  int ready_asked = 0;
  int resumed = 0;

  bool await_ready() {
    ++ready_asked;
    return false;
  }
  void await_suspend(std::coroutine_handle<> awaiting) { in_await_suspend(awaiting); }
  int await_resume() { return ++resumed; }
};

class ForeignAwaitable : public testing::TestWithParam<unsigned> {
 protected:
  held held_;
  accounted_executor on_{options{.threads = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Workers, ForeignAwaitable, testing::Values(1u, 2u, 4u));

static_assert(std::is_same_v<awaited_t<on_new_thread<int&>>, int&>);

TEST_P(ForeignAwaitable, TheTaskGoesOnOnAWorker) {
  const auto body = [&]() -> task<> {
    const task_id self = this_task::id();
    EXPECT_EQ(co_await on_new_thread<int>(7), 7);
    EXPECT_TRUE(on_.on_own_worker());
    EXPECT_EQ(this_task::id(), self);
  };
  on_.block_on(body);
}

TEST_P(ForeignAwaitable, GivesValuesOfEveryKind) {
  const auto body = []() -> task<> {
    int object = 1;
    int& same = co_await on_new_thread<int&>(object);
    EXPECT_EQ(&same, &object);
    auto given = std::make_unique<int>(2);
    on_new_thread<std::unique_ptr<int>> named(std::move(given));
    const std::unique_ptr<int> owned = co_await named;
    EXPECT_EQ(*owned, 2);
    co_await std::suspend_never();
  };
  on_.block_on(body);
}

TEST_P(ForeignAwaitable, ThrowsWhatItThrows) {
  struct failing {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) const { awaiting.resume(); }
    void await_resume() const { throw std::runtime_error("theirs"); }
  };
  struct failing_to_suspend : failing {
    void await_suspend(std::coroutine_handle<>) const { throw std::logic_error("not begun"); }
  };
  const auto body = []() -> task<> {
    EXPECT_THROW(co_await failing(), std::runtime_error);
    EXPECT_THROW(co_await failing_to_suspend(), std::logic_error);
    co_await yield();
  };
  on_.block_on(body);
}

TEST_P(ForeignAwaitable, EveryFormIsAwaited) {
  struct member {
    int number;
    other_library::ticket_awaiter operator co_await() && { return {number}; }
  };
  struct to_reference {
    held& of;
    held& operator co_await() const { return of; }
  };
  held_.in_await_suspend = [](std::coroutine_handle<> awaiting) { awaiting.resume(); };
  const auto body = [&]() -> task<> {
    EXPECT_EQ(co_await other_library::ticket{3}, 3);
    EXPECT_EQ(co_await member{4}, 4);
    EXPECT_EQ(co_await held_, 1);
    EXPECT_EQ(co_await to_reference{held_}, 2);
  };
  on_.block_on(body);
}

TEST_P(ForeignAwaitable, EveryAnswerOfAwaitSuspendIsUnderstood) {
  struct refuses {
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<>) const { return false; }
    int await_resume() const { return 1; }
  };
  struct resumes_at_once {
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> awaiting) const {
      awaiting.resume();
      return true;
    }
    int await_resume() const { return 2; }
  };
  struct transfers_back {
    bool await_ready() const { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const {
      return awaiting;
    }
    int await_resume() const { return 3; }
  };
  const auto body = []() -> task<int> {
    int sum = 0;
    for (int i = 0; i != 1000; ++i) {
      sum += co_await refuses();
      sum += co_await resumes_at_once();
      sum += co_await transfers_back();
    }
    co_return sum;
  };
  EXPECT_EQ(on_.block_on(body), 6000);
}

TEST_P(ForeignAwaitable, AnAwaiterThatCannotBeMovedIsMadeInPlace) {
  struct pinned_awaiter {
    explicit pinned_awaiter(int n) : number(n), self(this) {}
    pinned_awaiter(pinned_awaiter&&) = delete;
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<>) const { return false; }
    int await_resume() const { return self == this ? number : 0; }
    int number;
    pinned_awaiter* self;
  };
  struct makes_it {
    pinned_awaiter operator co_await() const { return pinned_awaiter(5); }
  };
  const auto body = []() -> task<int> { co_return co_await makes_it(); };
  EXPECT_EQ(on_.block_on(body), 5);
}

TEST_P(ForeignAwaitable, AStopOnEntryComesBeforeAnyEffect) {
  const auto body = [&]() -> task<> {
    this_task::ref().cancel();
    co_await held_;
  };
  EXPECT_THROW(on_.block_on(body), task_cancelled);
  EXPECT_EQ(held_.ready_asked, 0);
}

TEST_P(ForeignAwaitable, AStopInBetweenIsNoticedAtTheNextPoint) {
  bool passed_the_next_point = false;
  const auto body = [&]() -> task<> {
    EXPECT_EQ(co_await held_, 1) << "what has completed is delivered";
    EXPECT_TRUE(cancel_requested());
    co_await yield();
    passed_the_next_point = true;
  };
  task_handle<> waiting = on_.spawn(body);
  const std::coroutine_handle<> awaiting = held_.suspended.get_future().get();
  wait_until_suspended(waiting);
  waiting.cancel();
  for (int i = 0; i != 10; ++i) {
    on_.block_on([] {});
  }
  EXPECT_FALSE(waiting.done());
  awaiting.resume();
  on_.wait_until_idle();
  EXPECT_EQ(held_.resumed, 1);
  EXPECT_FALSE(passed_the_next_point);
  EXPECT_EQ(waiting.status(), task_status::cancelled);
}

TEST_P(ForeignAwaitable, DumpsShowTheWait) {
  const auto body = [&]() -> task<> {
    describe_wait("their reply");
    co_await held_;
  };
  task_handle<> waiting = on_.spawn(body);
  const std::coroutine_handle<> awaiting = held_.suspended.get_future().get();
  EXPECT_EQ(waiting.status(), task_status::suspended);
  EXPECT_STREQ(detail::handle_access::cell(waiting, "test").waiting_for(), "their reply");
  awaiting.resume();
  on_.wait_until_idle();
}

TEST_P(ForeignAwaitable, OneThatDestroysTheCoroutineIsAUsageError) {
  held_.in_await_suspend = [](std::coroutine_handle<> awaiting) { awaiting.destroy(); };
  const auto body = [&]() -> task<> { EXPECT_THROW(co_await held_, usage_error); };
  on_.block_on(body);
  EXPECT_EQ(held_.resumed, 0);
}

// As an awaitable of std::execution does.
struct stops {
  bool await_ready() const { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> awaiting) const {
    before();
    return awaiting.promise().unhandled_stopped();
  }
  void await_resume() const { ADD_FAILURE() << "was stopped"; }

  std::function<void()> before;
};

TEST_P(ForeignAwaitable, OneThatWasStoppedStopsATaskThatIsToStop) {
  bool went_on = false;
  const auto body = [&]() -> task<> {
    stops by_request{[] { this_task::ref().cancel("enough"); }};
    try {
      co_await by_request;
      went_on = true;
    } catch (...) {
      went_on = true;
    }
  };
  EXPECT_THROW(on_.block_on(body), task_cancelled);
  EXPECT_FALSE(went_on);
}

TEST_P(ForeignAwaitable, OneThatWasStoppedUnaskedThrowsOperationCancelled) {
  const auto body = [&]() -> task<> {
    stops unasked{[] {}};
    EXPECT_THROW(co_await unasked, operation_cancelled);
  };
  on_.block_on(body);
}

}  // namespace
}  // namespace coppice
