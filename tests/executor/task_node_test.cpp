#include <coppice/detail/fork_join.h>
#include <coppice/detail/task_node.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/failing_new.h"
#include "tests/support/load.h"
#include "tests/support/stub_event.h"

namespace coppice::detail {
namespace {

using testing_support::rounds;
using testing_support::stub_event;

cancel_reason why(std::string_view text) {
  return cancel_reason(text);
}

class TaskNode : public testing::Test {
 protected:
  // A task that waits for the event, and is known to do so.
  task_handle<int> suspended() {
    task_handle<int> waiting =
        on_.spawn([this]() -> task<int> { co_return co_await event_.wait(); });
    while (event_.armed == 0 || waiting.status() != task_status::suspended) {
      std::this_thread::yield();
    }
    return waiting;
  }

  static task_node& node(const task_ref& of) { return handle_access::cell(of, "test").node(); }

  stub_event event_;
  executor on_{options{.threads = 2}};
};

TEST_F(TaskNode, IsNotRequestedAndWaitsForNothingAtFirst) {
  on_.block_on([]() -> task<> {
    task_node& mine = node(this_task::ref());
    EXPECT_FALSE(mine.requested());
    EXPECT_EQ(mine.waiting_for(), nullptr);
    EXPECT_FALSE(mine.cancelled_at(this_worker()->now()));
    co_return;
  });
}

TEST_F(TaskNode, NamesItsTask) {
  EXPECT_TRUE(on_.block_on([]() -> task<bool> {
    outcome_cell& mine = handle_access::cell(this_task::ref(), "test");
    co_return mine.node().task() == &mine&& this_worker() -> scope == &mine.node();
  }));
}

TEST_F(TaskNode, SaysWhatItsTaskWaitsFor) {
  const task_handle<int> waiting = suspended();
  EXPECT_STREQ(node(waiting).waiting_for(), "stub_event");
  (void)event_.set();
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(node(waiting).waiting_for(), nullptr);
}

TEST_F(TaskNode, StopsWhatWaitsAndKeepsTheFirstReason) {
  const task_handle<int> waiting = suspended();
  waiting.cancel(why("first"));
  waiting.cancel(why("second"));
  EXPECT_TRUE(node(waiting).requested());
  EXPECT_EQ(node(waiting).reason().message(), "first");
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(waiting.result().reason().message(), "first");
}

TEST_F(TaskNode, IsSeenByAPollAtTheNextEpoch) {
  on_.block_on([]() -> task<> {
    const task_ref self = this_task::ref();
    EXPECT_FALSE(node(self).cancelled_at(this_worker()->now()));
    self.cancel();
    EXPECT_TRUE(node(self).cancelled_at(this_worker()->now()));
    EXPECT_FALSE(node(self).clear_at(this_worker()->now()));
    co_return;
  });
}

// All suspensions of one task: those of its forks' children too.
TEST_F(TaskNode, StopsEverythingThatWaitsBelowIt) {
  std::vector<stub_event> events(50);
  const task_handle<> waiting = on_.spawn([&]() -> task<> {
    const auto child = [&](std::size_t i) -> task<int> { co_return co_await events[i].wait(); };
    std::vector<int> results(events.size());
    co_await fork_join_n(events.size(), child, results.begin());
  });
  for (const stub_event& each : events) {
    while (each.armed == 0) {
      std::this_thread::yield();
    }
  }
  waiting.cancel();
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(waiting.status(), task_status::cancelled);
  for (const stub_event& each : events) {
    EXPECT_EQ(each.disarmed, 1);
  }
}

TEST_F(TaskNode, LeavesOtherTasksAlone) {
  stub_event other_event;
  const task_handle<int> other =
      on_.spawn([&]() -> task<int> { co_return co_await other_event.wait(); });
  const task_handle<int> waiting = suspended();
  waiting.cancel();
  while (!waiting.done() || other_event.armed == 0) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(other.done());
  (void)other_event.set(7);
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(other.result().get(), 7);
}

TEST_F(TaskNode, CancelAllocatesNothing) {
  const task_handle<int> waiting = suspended();
  const cancel_reason reason = why("made before");
  const std::size_t before = testing_support::thread_allocations();
  waiting.cancel(reason);
  EXPECT_EQ(testing_support::thread_allocations(), before);
}

TEST_F(TaskNode, ItsTokenSeesARequestBeforeAndBehind) {
  const task_handle<int> waiting = suspended();
  const cancel_token early = waiting.token();
  EXPECT_FALSE(early.stop_requested());
  waiting.cancel(why("because"));
  EXPECT_TRUE(early.stop_requested());
  EXPECT_TRUE(waiting.token().stop_requested());
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(early.reason().message(), "because");
}

// N2: a token that is made in the midst of a cancel is told by one of the two.
TEST_F(TaskNode, ATokenMadeDuringACancelSeesIt) {
  for (long round = 0; round != rounds(20'000, 300); ++round) {
    stub_event event;
    const task_handle<int> waiting =
        on_.spawn([&]() -> task<int> { co_return co_await event.wait(); });
    {
      const std::jthread canceller([&] { waiting.cancel(); });
      static_cast<void>(waiting.token());
    }
    ASSERT_TRUE(waiting.token().stop_requested());
    ASSERT_TRUE(on_.wait_until_idle());
  }
}

// TN1: the second request finds the first delivered, on its way, or none.
TEST_F(TaskNode, AnOverridingCancelAtAnyMomentEndsTheTaskOnce) {
  for (long round = 0; round != rounds(100'000, 500); ++round) {
    stub_event event;
    const task_handle<int> waiting =
        on_.spawn([&]() -> task<int> { co_return co_await event.wait(); });
    outcome_cell& cell = handle_access::cell(waiting, "test");
    {
      const std::jthread first([&] { waiting.cancel(why("first")); });
      const std::jthread second([&] { cell.cancel_overriding(why("second")); });
    }
    ASSERT_TRUE(on_.wait_until_idle());
    ASSERT_EQ(waiting.status(), task_status::cancelled);
  }
}

// N1, and the whole life of a task: whatever the moment, it ends once, and the executor is empty again.
TEST_F(TaskNode, ACancelAtAnyMomentEndsTheTaskOnce) {
  for (long round = 0; round != rounds(100'000, 500); ++round) {
    stub_event event;
    const task_handle<int> waiting = on_.spawn([&]() -> task<int> {
      co_await yield();
      co_return co_await event.wait();
    });
    {
      const std::jthread first([&] { waiting.cancel(why("first")); });
      const std::jthread second([&] { waiting.cancel(why("second")); });
      (void)event.set(7);
    }
    ASSERT_TRUE(on_.wait_until_idle());
    if (waiting.status() == task_status::cancelled) {
      ASSERT_FALSE(waiting.result().reason().message().empty());
    } else {
      ASSERT_EQ(waiting.result().get(), 7);
    }
  }
  const task_counts counts = on_.counts();
  EXPECT_EQ(counts.spawned, counts.completed + counts.cancelled);
  EXPECT_EQ(counts.failed, 0u);
}

}  // namespace
}  // namespace coppice::detail
