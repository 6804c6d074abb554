#include <coppice/detail/outcome_cell.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/failing_new.h"
#include "tests/support/load.h"
#include "tests/support/stub_event.h"

namespace coppice::detail {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""us;
using testing_support::rounds;
using testing_support::stub_event;

class OutcomeCell : public testing::Test {
 protected:
  OutcomeCell() {
    on_.set_error_handler([this](const error_report& report) {
      ++reports_;
      origin_ = report.origin;
    });
  }

  static outcome_cell& cell(const task_ref& of) { return handle_access::cell(of, "test"); }

  std::atomic<int> reports_{0};
  std::atomic<error_origin> origin_{error_origin::child};
  executor on_{options{.threads = 2}};
};

TEST_F(OutcomeCell, GoesThroughTheStatesOfItsTask) {
  stub_event event;
  std::vector<task_status> seen;
  const task_handle<int> task = on_.spawn([&]() -> coppice::task<int> {
    seen.push_back(this_task::ref().status());
    co_return co_await event.wait();
  });
  while (event.armed == 0 || task.status() != task_status::suspended) {
    std::this_thread::yield();
  }
  EXPECT_EQ(seen, std::vector{task_status::running});
  EXPECT_FALSE(task.done());
  (void)event.set();
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(task.status(), task_status::completed);
}

TEST_F(OutcomeCell, IsPendingUntilItsTurnComes) {
  executor one({.threads = 1});
  EXPECT_EQ(one.block_on([&] { return one.spawn([] {}).status(); }), task_status::pending);
}

// C2: who sees the end sees the outcome.
TEST_F(OutcomeCell, ShowsItsOutcomeWithItsStatus) {
  for (long round = 0; round != rounds(100'000, 500); ++round) {
    const task_handle<std::vector<long>> task =
        on_.spawn([round] { return std::vector<long>(10, round); });
    while (!task.done()) {
      std::this_thread::yield();
    }
    ASSERT_EQ(task.result().get(), std::vector<long>(10, round));
  }
}

TEST_F(OutcomeCell, HasAnIdOfItsOwnAndKnowsItsParent) {
  std::set<task_id> ids;
  for (int i = 0; i != 3'000; ++i) {
    EXPECT_TRUE(ids.insert(on_.spawn([] {}).id()).second);
  }
  on_.block_on([&]() -> task<> {
    const task_ref child = spawn([] {});
    EXPECT_EQ(cell(child).parent(), task_id::none) << "the root has no host";
    EXPECT_FALSE(ids.contains(child.id()));
    co_return;
  });
}

TEST_F(OutcomeCell, ViewsOfAnOldNameLiveAsLongAsTheCell) {
  stub_event event;
  const task_handle<int> task =
      on_.spawn({.name = std::string(100, 'a')},
                [&]() -> coppice::task<int> { co_return co_await event.wait(); });
  const std::string_view first = task.name();
  cell(task).rename(std::string(100, 'b'));
  const std::string_view second = task.name();
  cell(task).rename(second);
  cell(task).rename("c");
  EXPECT_EQ(first, std::string(100, 'a'));
  EXPECT_EQ(second, std::string(100, 'b'));
  EXPECT_EQ(task.name(), "c");
  task.cancel();
  EXPECT_TRUE(on_.wait_until_idle());
}

TEST_F(OutcomeCell, TakesNoWaiterWhenItHasEnded) {
  const task_handle<> task = on_.spawn([] {});
  EXPECT_TRUE(on_.wait_until_idle());
  end_waiter late;
  EXPECT_FALSE(cell(task).add_waiter(late));
  cell(task).remove_waiter(late);
}

TEST_F(OutcomeCell, AWaiterMayLeaveFromAnywhereInTheList) {
  stub_event event;
  const task_handle<int> task =
      on_.spawn([&]() -> coppice::task<int> { co_return co_await event.wait(); });
  slot unused;
  std::vector<end_waiter> waiters(3);
  for (const std::vector<std::size_t>& order :
       {std::vector<std::size_t>{0, 1, 2}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}}) {
    for (end_waiter& each : waiters) {
      each.wait = {&unused, 0};
      EXPECT_TRUE(cell(task).add_waiter(each));
      EXPECT_TRUE(each.listed);
    }
    for (const std::size_t i : order) {
      cell(task).remove_waiter(waiters[i]);
      EXPECT_FALSE(waiters[i].listed);
      cell(task).remove_waiter(waiters[i]);  // Twice does no harm.
    }
  }
  task.cancel();
  EXPECT_TRUE(on_.wait_until_idle());
}

TEST_F(OutcomeCell, LetsTheValueBeTakenOnce) {
  const task_handle<int> task = on_.spawn([] { return 7; });
  EXPECT_TRUE(on_.wait_until_idle());
  auto& typed = static_cast<typed_cell<int>&>(cell(task));
  EXPECT_TRUE(typed.take_value());
  EXPECT_FALSE(typed.take_value());
}

struct throwing_move {
  throwing_move() = default;
  throwing_move(throwing_move&&) { throw std::runtime_error("move"); }
  std::shared_ptr<int> held;
};

TEST_F(OutcomeCell, AValueThatCannotBeMovedIsAFailureAndIsDestroyed) {
  const auto counted = std::make_shared<int>(7);
  struct maker {
    std::shared_ptr<int> from;
    operator throwing_move() const {
      throwing_move made;
      made.held = from;
      return made;
    }
  };
  {
    const task_handle<throwing_move> task =
        on_.spawn([&counted]() -> coppice::task<throwing_move> { co_return maker{counted}; });
    EXPECT_TRUE(on_.wait_until_idle());
    EXPECT_EQ(task.status(), task_status::failed);
    EXPECT_EQ(counted.use_count(), 1);
  }
  EXPECT_EQ(reports_, 1);
  EXPECT_EQ(origin_, error_origin::child);
}

TEST_F(OutcomeCell, IsDestroyedWithItsLastReference) {
  auto counted = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = counted;
  task_ref last;
  {
    executor on({.threads = 1});
    const auto first = on.spawn([kept = std::move(counted)] { return kept; });
    EXPECT_TRUE(on.wait_until_idle());
    last = first;
  }  // The worker has let go of it by now.
  EXPECT_EQ(watched.use_count(), 1);  // The outcome's; what it was started from is gone.
  task_ref copy = last;
  last = {};
  EXPECT_EQ(watched.use_count(), 1);
  copy = {};
  EXPECT_TRUE(watched.expired());
}

TEST_F(OutcomeCell, MayOutliveItsExecutor) {
  task_handle<std::string> task;
  {
    executor on({.threads = 1});
    task = on.spawn([] { return std::string(100, 'x'); });
    EXPECT_TRUE(on.wait_until_idle());
  }
  EXPECT_EQ(task.result().get(), std::string(100, 'x'));
}

TEST(OutcomeCellReference, CountsCopiesAndGivesOneUp) {
  executor on({.threads = 1});
  const task_handle<> task = on.spawn([] {});
  outcome_cell& counted = handle_access::cell(task, "test");
  counted.add_reference();
  cell_ref first(&counted);
  cell_ref second = first;
  cell_ref moved = std::move(second);
  EXPECT_EQ(moved.get(), &counted);
  EXPECT_EQ(second.get(), nullptr);
  second = moved;
  EXPECT_EQ(second.get(), &counted);
  EXPECT_EQ(first.release(), &counted);
  EXPECT_EQ(first.get(), nullptr);
  counted.drop();
}

// ---- The time limit of a task ----------------------------------------------------------------------

// The timer that still stands keeps neither the task's result nor its memory.
TEST_F(OutcomeCell, ALimitThatWasNotReachedHoldsNothing) {
  auto counted = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = counted;
  {
    executor on({.threads = 1});
    const auto task = on.spawn({.timeout = 1h}, [kept = std::move(counted)] { return kept; });
    EXPECT_TRUE(on.wait_until_idle());
    EXPECT_EQ(task.status(), task_status::completed);
  }
  EXPECT_TRUE(watched.expired());
}

TEST_F(OutcomeCell, ALimitIsCountedFromTheSpawn) {
  const task_handle<> task = on_.spawn({.timeout = -1h}, []() -> coppice::task<> {
    for (;;) {
      co_await yield();
    }
  });
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(task.status(), task_status::failed);
}

// The task's end and its limit come at the same time, in every order.
TEST_F(OutcomeCell, ALimitAtAnyMomentEndsTheTaskOnce) {
  for (long round = 0; round != rounds(50'000, 500); ++round) {
    const task_handle<> task = on_.spawn({.timeout = 1us * (round % 100)},
                                         []() -> coppice::task<> { co_await sleep_for(50us); });
    while (!task.done()) {
      std::this_thread::yield();
    }
    ASSERT_TRUE(task.status() == task_status::completed || task.status() == task_status::failed);
  }
  EXPECT_TRUE(on_.wait_until_idle());
  const task_counts counts = on_.counts();
  EXPECT_EQ(counts.spawned, counts.completed + counts.failed);
  EXPECT_EQ(static_cast<std::uint64_t>(reports_.load()), counts.failed);
}

// ---- Without memory ---------------------------------------------------------------------------------

TEST_F(OutcomeCell, WithoutMemoryNothingIsSpawnedAndTheArgumentsStay) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const auto body = [](std::shared_ptr<int> held) -> task<int> { co_return *held; };
  auto counted = std::make_shared<int>(7);
  task<int> mine = body(counted);
  std::size_t spawned = 0;
  const std::size_t failed = testing_support::for_each_failing_allocation(
      [&](testing_support::fail_allocation_at& failure) {
        try {
          static_cast<void>(on_.spawn(
              {.name = std::string_view("a name too long to be kept in place"), .timeout = 1h},
              std::move(mine)));
          ++spawned;
          const testing_support::spare_allocations spared;
          mine = body(counted);  // For the next: the inbox goes without what it was refused.
        } catch (const std::bad_alloc&) {
          failure.stop();
          EXPECT_TRUE(mine);
        }
      },
      testing_support::failing_threads::caller);
  EXPECT_GT(failed, 0u);
  EXPECT_GE(spawned, 1u);
  EXPECT_TRUE(on_.wait_until_idle());
  mine = {};
  EXPECT_EQ(counted.use_count(), 1) << "whatever was refused, was destroyed or handed back";
}

}  // namespace
}  // namespace coppice::detail
