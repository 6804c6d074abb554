#include <coppice/detail/suspension.h>
#include <gtest/gtest.h>

#include "executor/executor_state.h"
#include "tests/support/bare_wait.h"

namespace coppice::detail {
namespace {

using testing_support::bare_wait;

TEST(Suspension, WaitsForNothingAtFirst) {
  const bare_wait fresh;
  EXPECT_EQ(fresh.at, nullptr);
}

TEST(Suspension, SaysWhatToQueue) {
  executor on({.threads = 1});
  bare_wait waiting;
  waiting.begin_on(*on.state().core);
  EXPECT_EQ(&waiting.resumption(), static_cast<job*>(&waiting));
}

TEST(Suspension, ResumesOnAWorkerOfItsExecutorFromAnyThread) {
  executor on({.threads = 1});
  bare_wait waiting;
  waiting.begin_on(*on.state().core);
  waiting.resume();
  waiting.await_done();
  EXPECT_NE(waiting.ran_on, nullptr);
}

TEST(Suspension, ResumesOnItsOwnExecutorFromAWorkerOfAnother) {
  executor home({.threads = 1});
  executor other({.threads = 1});
  bare_wait waiting;
  waiting.begin_on(*home.state().core);
  other.block_on([&] { waiting.resume(); });
  waiting.await_done();
  EXPECT_EQ(&waiting.ran_on->home, home.state().core.get());
}

// What the running task has just made ready is up next on its own worker, ahead of older work.
TEST(Suspension, ResumedOnItsOwnWorkerGoesAheadOfOthers) {
  executor on({.threads = 1});
  bare_wait waiting;
  waiting.begin_on(*on.state().core);
  bool older_ran = false;
  bool was_first = false;
  on.block_on([&]() -> task<> {
    task_handle<> older = spawn([&] {
      older_ran = true;
      was_first = waiting.done;
    });
    waiting.resume();
    EXPECT_FALSE(waiting.done);  // Never inside the call.
    co_await older;
  });
  EXPECT_TRUE(older_ran);
  EXPECT_TRUE(was_first);
}

TEST(Suspension, StopsAsItWasTold) {
  executor on({.threads = 1});
  bare_wait waiting;
  waiting.begin_on(*on.state().core);
  on.block_on([&] { waiting.stop(*this_worker()).resume(); });
  EXPECT_NE(waiting.stopped_on, nullptr);
  EXPECT_FALSE(waiting.done);
}

}  // namespace
}  // namespace coppice::detail
