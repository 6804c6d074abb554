#include <coppice/executor.h>
#include <coppice/task_handle.h>

#include <gtest/gtest.h>

#include <atomic>
#include <concepts>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/report_log.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::jumping_clock;
using testing_support::report_log;

static_assert(std::same_as<awaited_t<const task_handle<int>&>, const int&>);
static_assert(std::same_as<awaited_t<task_handle<int>>, int>);
static_assert(std::same_as<awaited_t<const task_handle<int&>&>, int&>);
static_assert(std::same_as<awaited_t<task_handle<>>, void>);
static_assert(std::copyable<task_handle<std::unique_ptr<int>>>);

// One worker, and a clock that jumps: what runs when is settled.
class TaskHandle : public testing_support::accounted_test {
 protected:
  template <class Main>
  auto run(const Main& main) {
    accounted_executor tasks({.threads = 1}, &jumping_clock);
    tasks.set_error_handler(log_.handler());
    return tasks.block_on(main);
  }

  report_log log_;
};

task<int> number(int n) {
  co_return n;
}
task<std::unique_ptr<int>> owned(int n) {
  co_return std::make_unique<int>(n);
}
task<int&> same(int& object) {
  co_return object;
}
task<> sleeper(duration d) {
  co_await sleep_for(d);
}

template <class E>
task<int> failing(E error) {
  co_await sleep_for(1ms);
  throw error;
}

TEST_F(TaskHandle, GivesAReferenceAnyNumberOfTimes) {
  run([]() -> task<> {
    const task_handle<int> handle = spawn(number, 3);
    const int& first = co_await handle;
    const int& second = co_await handle;
    EXPECT_EQ(first, 3);
    EXPECT_EQ(&first, &second);
    int object = 0;
    const task_handle<int&> of_reference = spawn(same, std::ref(object));
    EXPECT_EQ(&co_await of_reference, &object);
  });
}

TEST_F(TaskHandle, LetsManyAwait) {
  const int sum = run([]() -> task<int> {
    const auto slow = []() -> task<int> {
      co_await sleep_for(10ms);
      co_return 1;
    };
    const task_handle<int> handle = spawn(slow);
    const auto waiter = [](task_handle<int> of) -> task<int> { co_return co_await of; };
    std::vector<task_handle<int>> waiters;
    for (int i = 0; i != 10; ++i) {
      waiters.push_back(spawn(waiter, handle));
    }
    int total = 0;
    for (const task_handle<int>& each : waiters) {
      total += co_await each;
    }
    co_return total;
  });
  EXPECT_EQ(sum, 10);
}

TEST_F(TaskHandle, MovesTheValueOutOnce) {
  run([]() -> task<> {
    task_handle<std::unique_ptr<int>> handle = spawn(owned(4));
    const task_handle<std::unique_ptr<int>> copy = handle;
    const std::unique_ptr<int> got = co_await std::move(handle);
    EXPECT_EQ(*got, 4);
    EXPECT_EQ(co_await copy, nullptr) << "a reference to what was left behind";
    EXPECT_THROW(co_await task_handle(copy), usage_error);
  });
}

TEST_F(TaskHandle, ThrowsTheTasksFailureToEachAwaiter) {
  run([]() -> task<> {
    const task_handle<int> handle = spawn(failing(std::runtime_error("bad")));
    EXPECT_THROW(co_await handle, std::runtime_error);
    EXPECT_THROW(co_await task_handle(handle), std::runtime_error);
    const task_handle<int> of_int = spawn(failing(5));
    EXPECT_THROW(co_await of_int, int);
  });
  EXPECT_EQ(log_.size(), 0u) << "an awaiter was suspended on it";
}

TEST_F(TaskHandle, OfACancelledTaskThrowsTaskCancelledWhichNamesIt) {
  run([]() -> task<> {
    const task_handle<> handle = spawn(sleeper(1h));
    co_await yield();
    handle.cancel("enough");
    try {
      co_await handle;
      ADD_FAILURE() << "it was cancelled";
    } catch (const task_cancelled& cancelled) {
      EXPECT_EQ(cancelled.id(), handle.id());
      EXPECT_EQ(cancelled.reason().message(), "enough");
      EXPECT_EQ(cancelled.reason().by(), this_task::id());
    }
    EXPECT_EQ(handle.status(), task_status::cancelled);
    EXPECT_TRUE(handle.result().cancelled());
  });
}

TEST_F(TaskHandle, KeepsTheFirstReason) {
  run([]() -> task<> {
    const task_handle<> handle = spawn(sleeper(1h));
    handle.cancel("first");
    handle.cancel("second");
    EXPECT_THROW(co_await handle, task_cancelled);
    EXPECT_EQ(handle.result().reason().message(), "first");
    handle.cancel("too late");
    EXPECT_EQ(handle.result().reason().message(), "first");
  });
}

TEST_F(TaskHandle, OfATaskCancelledBeforeItsStartNeverRanTheBody) {
  bool ran = false;
  const auto argument = std::make_shared<int>(1);
  run([&]() -> task<> {
    const auto body = [&](std::shared_ptr<int>) -> task<> {
      ran = true;
      co_return;
    };
    const task_handle<> handle = spawn(body, argument);
    EXPECT_EQ(handle.status(), task_status::pending);
    handle.cancel();
    EXPECT_EQ(argument.use_count(), 2);
    EXPECT_THROW(co_await handle, task_cancelled);
    EXPECT_EQ(argument.use_count(), 1) << "its arguments are destroyed";
  });
  EXPECT_FALSE(ran);
}

TEST_F(TaskHandle, DroppedNeitherCancelsNorLosesTheTask) {
  bool ended = false;
  run([&]() -> task<> {
    const auto body = [&]() -> task<> {
      co_await sleep_for(5ms);
      ended = true;
    };
    spawn(body);
    spawn(failing(std::runtime_error("unseen")));
    co_await sleep_for(10ms);
  });
  EXPECT_TRUE(ended);
  EXPECT_EQ(log_.messages(), std::vector<std::string>{"unseen"});
}

TEST_F(TaskHandle, StopsOnlyTheAwaiterWhenTheAwaiterIsCancelled) {
  run([]() -> task<> {
    const task_handle<> slow = spawn(sleeper(1s));
    const auto waits = [](task_handle<> of) -> task<> { co_await of; };
    const task_handle<> awaiter = spawn(waits, slow);
    co_await sleep_for(1ms);
    awaiter.cancel();
    EXPECT_THROW(co_await awaiter, task_cancelled);
    EXPECT_EQ(awaiter.result().reason().message(), "");
    EXPECT_EQ(slow.status(), task_status::suspended);
    co_await slow;
    EXPECT_EQ(slow.status(), task_status::completed);
  });
}

TEST_F(TaskHandle, TellsTheStatus) {
  run([]() -> task<> {
    const auto body = []() -> task<> {
      EXPECT_EQ(this_task::ref().status(), task_status::running);
      co_await sleep_for(1ms);
    };
    const task_handle<> handle = spawn(body);
    EXPECT_EQ(handle.status(), task_status::pending);
    EXPECT_FALSE(handle.done());
    EXPECT_THROW(handle.result(), usage_error);
    co_await yield();
    EXPECT_EQ(handle.status(), task_status::suspended);
    co_await handle;
    EXPECT_EQ(handle.status(), task_status::completed);
    EXPECT_TRUE(handle.done());
    EXPECT_TRUE(handle.result().completed());
    const task_handle<int> failed = spawn(failing(1));
    EXPECT_THROW(co_await failed, int);
    EXPECT_EQ(failed.status(), task_status::failed);
    EXPECT_TRUE(failed.result().failed());
  });
}

TEST_F(TaskHandle, GivesAwayItsResult) {
  std::optional<task_handle<std::unique_ptr<int>>> kept;
  run([&]() -> task<> {
    kept = spawn(owned, 6);
    co_await sleep_for(1ms);
  });
  EXPECT_EQ(*kept->result().get(), 6) << "a handle outlives its executor";
  const outcome<std::unique_ptr<int>> taken = std::move(*kept).result();
  EXPECT_EQ(*taken.get(), 6);
  kept->cancel();
  EXPECT_TRUE(kept->done());
}

TEST_F(TaskHandle, CallsOnDoneOnceBehindTheEnd) {
  int calls = 0;
  run([&]() -> task<> {
    const task_handle<int> handle = spawn(number, 1);
    handle.on_done([&, of = task_ref(handle)] {
      ++calls;
      EXPECT_EQ(of.status(), task_status::completed) << "the outcome is visible";
    });
    EXPECT_EQ(calls, 0);
    co_await handle;
    EXPECT_EQ(calls, 1);
    handle.on_done([&] { ++calls; });
    EXPECT_EQ(calls, 1) << "it runs on a worker, not inside on_done";
    co_await sleep_for(1ms);
    EXPECT_EQ(calls, 2);
    EXPECT_THROW(handle.on_done(nullptr), usage_error);
  });
}

TEST_F(TaskHandle, CallsOnDoneWhicheverWayTheTaskEnds) {
  int calls = 0;
  run([&]() -> task<> {
    const task_handle<int> fails = spawn(failing(1));
    const task_handle<> cancelled = spawn(sleeper(1h));
    const task_handle<> never = spawn(sleeper(1h));
    for (const task_ref& each : std::vector<task_ref>{fails, cancelled, never}) {
      each.on_done([&] { ++calls; });
    }
    never.cancel();
    co_await sleep_for(10ms);
    cancelled.cancel();
    co_await sleep_for(10ms);
    EXPECT_EQ(calls, 3);
  });
}

TEST_F(TaskHandle, ReportsWhatOnDoneThrows) {
  task_id id{};
  run([&]() -> task<> {
    const task_handle<int> handle = spawn({.name = "called"}, number, 1);
    id = handle.id();
    handle.on_done([] { throw std::runtime_error("from the callback"); });
    handle.on_done([] { throw 7; });
    co_await handle;
    handle.on_done([] { throw std::runtime_error("from a late one"); });
    co_await sleep_for(1ms);
  });
  const std::vector<error_report> reports = log_.take();
  ASSERT_EQ(reports.size(), 3u);
  for (const error_report& each : reports) {
    EXPECT_EQ(each.origin, error_origin::handler);
    EXPECT_EQ(each.entry.id(), id);
    EXPECT_EQ(each.entry.name(), "called");
  }
  EXPECT_EQ(reports[0].entry.message(), "from the callback");
  EXPECT_EQ(*reports[1].entry.get_if<int>(), 7);
  EXPECT_EQ(reports[2].entry.message(), "from a late one");
}

TEST_F(TaskHandle, CallsALateOnDoneOnBehalfOfItsTask) {
  run([]() -> task<> {
    task_id seen{};
    const task_handle<int> handle = spawn(number, 1);
    co_await handle;
    co_await spawn(number, 2);  // Gone when the callback runs: nothing may speak of it.
    handle.on_done([&] { seen = this_task::id(); });
    co_await sleep_for(1ms);
    EXPECT_EQ(seen, handle.id());
  });
}

TEST_F(TaskHandle, CannotCallOnDoneWhenTheExecutorIsGone) {
  std::optional<task_handle<int>> kept;
  run([&]() -> task<> {
    kept = spawn(number, 1);
    co_await *kept;
  });
  const accounted_executor another({.threads = 1});
  EXPECT_THROW(kept->on_done([] { ADD_FAILURE() << "on another executor"; }), usage_error);
}

TEST_F(TaskHandle, KnowsNameAndSite) {
  run([]() -> task<> {
    const task_handle<int> named = spawn({.name = "worker bee"}, number, 1);
    const std::uint32_t here = __builtin_LINE() - 1;
    EXPECT_EQ(named.name(), "worker bee");
    EXPECT_EQ(named.site().line, here);
    EXPECT_NE(std::string(named.site().file).find("task_handle_test.cpp"), std::string::npos);
    const task_handle<int> nameless = spawn(number(1));
    EXPECT_EQ(nameless.name(), "");
    EXPECT_EQ(nameless.site().line, here + 5);
    EXPECT_NE(named.id(), nameless.id());
    EXPECT_NE(named.id(), task_id::none);
    co_await named;
    co_await nameless;
  });
}

TEST_F(TaskHandle, SeesATaskRenameItself) {
  run([]() -> task<> {
    const auto body = []() -> task<> {
      const std::string_view before = this_task::name();
      this_task::rename("second");
      EXPECT_EQ(before, "first") << "a name once read stays readable";
      EXPECT_EQ(this_task::name(), "second");
      this_task::rename("second");
      co_return;
    };
    const task_handle<> handle = spawn({.name = "first"}, body);
    co_await handle;
    EXPECT_EQ(handle.name(), "second");
  });
}

TEST_F(TaskHandle, GivesATokenThatSeesTheRequest) {
  run([]() -> task<> {
    const task_handle<> handle = spawn(sleeper(1h));
    const cancel_token before = handle.token();
    EXPECT_FALSE(before.stop_requested());
    handle.cancel("now");
    const cancel_token after = handle.token();
    EXPECT_TRUE(before.stop_requested());
    EXPECT_TRUE(after.stop_requested());
    EXPECT_EQ(after.reason().message(), "now");
    EXPECT_THROW(co_await handle, task_cancelled);
  });
}

TEST_F(TaskHandle, EmptyIsAUsageError) {
  const task_handle<int> empty;
  EXPECT_FALSE(empty);
  EXPECT_THROW(empty.id(), usage_error);
  EXPECT_THROW(empty.name(), usage_error);
  EXPECT_THROW(empty.site(), usage_error);
  EXPECT_THROW(empty.status(), usage_error);
  EXPECT_THROW(empty.done(), usage_error);
  EXPECT_THROW(empty.cancel(), usage_error);
  EXPECT_THROW(empty.token(), usage_error);
  EXPECT_THROW(empty.on_done([] {}), usage_error);
  EXPECT_THROW(empty.result(), usage_error);
  EXPECT_EQ(empty, task_handle<int>());
  run([&]() -> task<> {
    EXPECT_THROW(co_await empty, usage_error);
    EXPECT_THROW(co_await task_handle<int>(), usage_error);
  });
}

TEST_F(TaskHandle, ThatAwaitsItselfCanStillBeCancelled) {
  run([]() -> task<> {
    task_handle<> self;
    const auto body = [&]() -> task<> { co_await self; };
    self = spawn(body);
    co_await sleep_for(1ms);
    EXPECT_EQ(self.status(), task_status::suspended);
    self.cancel();
    co_await sleep_for(1ms);
    EXPECT_EQ(self.status(), task_status::cancelled);
  });
}

TEST_F(TaskHandle, OfAnotherExecutorCanBeAwaited) {
  accounted_executor other({.threads = 1});
  std::latch go(1);
  task_handle<int> theirs = other.spawn([&]() -> task<int> {
    go.wait();
    co_return 5;
  });
  accounted_executor ours({.threads = 1});
  const int got = ours.block_on([&]() -> task<int> {
    spawn([&] { go.count_down(); });
    co_return co_await theirs;
  });
  EXPECT_EQ(got, 5);
}

TEST(ThisTask, OutsideATaskIsAUsageError) {
  EXPECT_EQ(this_task::id(), task_id::none);
  EXPECT_THROW(this_task::name(), usage_error);
  EXPECT_THROW(this_task::ref(), usage_error);
  EXPECT_THROW(this_task::parent(), usage_error);
  EXPECT_THROW(this_task::token(), usage_error);
  EXPECT_THROW(this_task::rename("x"), usage_error);
  EXPECT_FALSE(cancel_requested());
}

TEST_F(TaskHandle, IsWhatThisTaskSpeaksOf) {
  run([]() -> task<> {
    const task_id outer = this_task::id();
    EXPECT_EQ(this_task::name(), "main");
    EXPECT_EQ(this_task::parent(), task_id::none);
    const auto body = [&]() -> task<> {
      EXPECT_EQ(this_task::parent(), task_id::none) << "the root has no host";
      EXPECT_NE(this_task::id(), outer);
      const task_id before = this_task::id();
      co_await sleep_for(1ms);
      EXPECT_EQ(this_task::id(), before) << "after a suspension too";
      EXPECT_EQ(this_task::ref().id(), before);
      EXPECT_FALSE(cancel_requested());
      const cancel_token token = this_task::token();
      this_task::ref().cancel();
      EXPECT_TRUE(token.stop_requested());
      EXPECT_TRUE(cancel_requested());
    };
    const task_handle<> handle = spawn(body);
    co_await handle;
    EXPECT_EQ(handle.status(), task_status::completed) << "nothing awaited after the request";
    EXPECT_EQ(this_task::id(), outer);
  });
}

}  // namespace
}  // namespace coppice
