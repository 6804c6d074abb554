#include <coppice/detail/promise_base.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/support/stub_event.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::ending;
using testing_support::stub_event;
using testing_support::stub_node;
using testing_support::stub_task;

class PromiseBase : public testing::Test {
 protected:
  executor on_{options{.threads = 1}};
  stub_node node_{on_};
};

// Tells what a coroutine's promise says while it runs.
struct promise_of_this {
  bool await_ready() const noexcept { return false; }
  template <std::derived_from<promise_base> Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    promise = &self.promise();
    return false;
  }
  promise_base* await_resume() const noexcept { return promise; }

  promise_base* promise = nullptr;
};

struct own_promise : own_awaitable, promise_of_this {};

TEST_F(PromiseBase, IsFoundFromItsHandleAndBack) {
  const auto body = []() -> task<bool> {
    promise_base* const mine = co_await own_promise();
    co_return std::coroutine_handle<promise_base>::from_address(mine->handle().address())
            .promise()
            .handle() == mine->handle();
  };
  EXPECT_TRUE(on_.block_on(body));
}

TEST_F(PromiseBase, AnAwaitedCoroutineStandsUnderTheScopeOfItsCaller) {
  const auto inner = []() -> task<cancel_node*> { co_return (co_await own_promise())->scope(); };
  const auto body = [&]() -> task<bool> {
    cancel_node* const mine = (co_await own_promise())->scope();
    co_return mine == co_await inner() && mine == this_worker()->scope;
  };
  stub_task<bool> under(on_, node_, body());
  EXPECT_TRUE(under.get());
}

// The worker knows the scope of what it runs again when a task goes on.
TEST_F(PromiseBase, ResumingItBringsItsScope) {
  stub_node other(on_);
  const auto yielding = [](cancel_node* expected) -> task<> {
    for (int i = 0; i != 10; ++i) {
      EXPECT_EQ(this_worker()->scope, expected);
      co_await yield();
    }
  };
  stub_task<> first(on_, node_, yielding(&node_));
  stub_task<> second(on_, other, yielding(&other));
  EXPECT_EQ(first.wait(), ending::value);
  EXPECT_EQ(second.wait(), ending::value);
}

TEST_F(PromiseBase, OneThatNeverRanIsDestroyedWithItsArguments) {
  const auto counted = std::make_shared<int>(7);
  {
    const auto body = [](std::shared_ptr<int> held) -> task<int> { co_return *held; };
    const task<int> never = body(counted);
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

// Before the receiver is told, so that whoever it wakes finds nothing alive.
TEST_F(PromiseBase, ItsFrameIsGoneWhenItsReceiverIsTold) {
  const auto counted = std::make_shared<int>(7);
  for (const bool stop : {false, true}) {
    stub_node node(on_);
    stub_event fresh;
    const auto waiting = [&fresh](std::shared_ptr<int> held) -> task<int> {
      co_await fresh.wait();
      co_return *held;
    };
    stub_task<int> under(on_, node, waiting(counted));
    node.await_enrolled(1);
    if (stop) {
      node.cancel();
    } else {
      (void)fresh.set();
    }
    EXPECT_EQ(under.wait(), stop ? ending::stopped : ending::value);
    EXPECT_EQ(counted.use_count(), 1);
  }
}

TEST_F(PromiseBase, GivingWayIsAPointWhereItStops) {
  bool went_on = false;
  const auto body = [&]() -> task<> {
    node_.cancel();  // Delivered to waits; this one is only in the queue.
    co_await yield();
    went_on = true;
  };
  stub_task<> under(on_, node_, body());
  EXPECT_EQ(under.wait(), ending::stopped);
  EXPECT_FALSE(went_on);
}

TEST_F(PromiseBase, OneThatGaveWayStopsWhenItsTurnComes) {
  bool went_on = false;
  // The canceller is queued by a plain job, ahead of the task that gives way.
  struct canceller final : job {
    explicit canceller(stub_node& of) : node(of) {
      run = [](job& self, worker_core&) noexcept { static_cast<canceller&>(self).node.cancel(); };
    }
    stub_node& node;
  } later(node_);
  const auto yielding = [&]() -> task<> {
    this_worker()->post(later);
    co_await yield();
    went_on = true;
  };
  stub_task<> under(on_, node_, yielding());
  EXPECT_EQ(under.wait(), ending::stopped);
  EXPECT_FALSE(went_on);
}

TEST_F(PromiseBase, FramesComeFromTheWorkersCache) {
  const auto inner = []() -> task<frame_cache*> { co_return nullptr; };
  const auto body = [&]() -> task<bool> {
    frame_cache& mine = this_worker()->frames;
    const std::size_t before = mine.live_blocks() + frame_cache::live_large_blocks();
    task<frame_cache*> made = inner();
    const std::size_t with_it = mine.live_blocks() + frame_cache::live_large_blocks();
    co_await std::move(made);
    const std::size_t behind = mine.live_blocks() + frame_cache::live_large_blocks();
    co_return with_it == before + 1 && behind == before;
  };
  EXPECT_TRUE(on_.block_on(body));
}

}  // namespace
}  // namespace coppice::detail
