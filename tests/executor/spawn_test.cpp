#include <coppice/executor.h>
#include <coppice/spawn.h>

#include <gtest/gtest.h>

#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
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

static_assert(std::is_aggregate_v<spawn_options> &&
              std::is_trivially_destructible_v<spawn_options>);

task<int> square(int x) {
  co_return x* x;
}
task<> nothing() {
  co_return;
}
task<> sleeper(duration d) {
  co_await sleep_for(d);
}
task<std::unique_ptr<int>> passed_on(std::unique_ptr<int> p) {
  co_return p;
}
int plain(int x) {
  return x + 1;
}
int sum_of_five(int a, int b, int c, int d, int e) {
  return a + b + c + d + e;
}

static_assert(std::same_as<spawned_t<decltype(square)&, int>, int>);
static_assert(std::same_as<spawned_t<decltype(plain)&, int>, int>);
static_assert(spawnable<decltype(nothing)&> && !spawnable<decltype(square)&, std::string>);

struct member {
  int base = 10;
  task<int> plus(int x) { co_return base + x; }
};

class Spawn : public testing_support::accounted_test {
 protected:
  template <class Main>
  auto run(const Main& main, const options& from = {.threads = 1}) {
    accounted_executor tasks(from, &jumping_clock);
    tasks.set_error_handler(log_.handler());
    return tasks.block_on(main);
  }

  report_log log_;
};

TEST_F(Spawn, TakesEveryFormOfWork) {
  run([]() -> task<> {
    EXPECT_EQ(co_await spawn(square(3)), 9);
    EXPECT_EQ(co_await spawn(square, 4), 16);
    EXPECT_EQ(co_await spawn({.name = "named"}, square, 5), 25);
    EXPECT_EQ(co_await spawn({.name = "task"}, square(6)), 36);
    EXPECT_EQ(co_await spawn(plain, 7), 8);
    EXPECT_EQ(co_await spawn(sum_of_five, 1, 2, 3, 4, 5), 15);
    EXPECT_EQ(co_await spawn(&member::plus, member{}, 3), 13);
    co_await spawn(nothing());
    co_await spawn(nothing);
    co_await spawn([] {});
    const std::function<task<int>()> stored = []() -> task<int> { co_return 1; };
    EXPECT_EQ(co_await spawn(stored), 1);
    int n = 0;
    const auto counting = [&](int by) { n += by; };
    co_await spawn(counting, 5);
    EXPECT_EQ(n, 5);
  });
}

TEST_F(Spawn, TakesEveryFormFromAPlainThread) {
  accounted_executor tasks({.threads = 2});
  const auto work = [](int x, int y) -> task<int> { co_return x* y; };
  std::vector<task_handle<int>> handles{
      tasks.spawn(square(3)),
      tasks.spawn(square, 3),
      tasks.spawn({.name = "named"}, square, 3),
      tasks.spawn({.name = "task"}, square(3)),
      tasks.spawn(plain, 8),
      tasks.spawn(work, 3, 3),
      tasks.spawn([](int a, int b, int c) { return a * b * c; }, 3, 3, 1),
      tasks.spawn([](int a, int b, int c, int d) { return a * b * c * d; }, 3, 3, 1, 1),
      tasks.try_spawn(square(3)).value(),
      tasks.try_spawn(square, 3).value(),
      tasks.try_spawn({.name = "x"}, square, 3).value(),
      tasks.try_spawn({.name = "y"}, square(3)).value(),
  };
  for (const task_handle<int>& each : handles) {
    EXPECT_EQ(tasks.block_on([&]() -> task<int> { co_return co_await each; }), 9);
    EXPECT_EQ(each.result().get(), 9);
  }
}

TEST_F(Spawn, KeepsTheCallableAndItsArgumentsBesideTheFrame) {
  const auto owned = std::make_shared<int>(4);
  run([&]() -> task<> {
    task_handle<int> handle;
    {
      auto body = [held = owned](std::shared_ptr<int> other) -> task<int> {
        co_await sleep_for(1ms);
        co_return *held + *other;
      };
      handle = spawn(std::move(body), owned);
      EXPECT_EQ(owned.use_count(), 3);
    }
    EXPECT_EQ(co_await handle, 8);
    EXPECT_EQ(owned.use_count(), 1) << "destroyed with the frame, whoever keeps a handle";
  });
}

TEST_F(Spawn, MovesWhatCanOnlyBeMoved) {
  run([]() -> task<> {
    auto handle = spawn(passed_on, std::make_unique<int>(3));
    EXPECT_EQ(*co_await handle, 3);
    auto pointer = std::make_unique<int>(4);
    auto owning = [held = std::move(pointer)]() -> task<int> { co_return *held; };
    EXPECT_EQ(co_await spawn(std::move(owning)), 4);
    auto owning_plain = [held = std::make_unique<int>(5)] { return *held; };
    EXPECT_EQ(co_await spawn(std::move(owning_plain)), 5);
  });
}

TEST_F(Spawn, CopiesWhatIsGivenAsALvalue) {
  run([]() -> task<> {
    std::string text = "before";
    const auto body = [](std::string t) -> task<std::string> { co_return t; };
    const task_handle<std::string> handle = spawn(body, text);
    text = "after";
    EXPECT_EQ(co_await handle, "before");
    int object = 0;
    const auto writes = [](int& to) -> task<> {
      to = 7;
      co_return;
    };
    co_await spawn(writes, std::ref(object));
    EXPECT_EQ(object, 7);
  });
}

TEST_F(Spawn, CarriesWhatAPlainCallableThrows) {
  run([]() -> task<> {
    const auto throws = []() -> int { throw 4; };
    EXPECT_THROW(co_await spawn(throws), int);
    const auto refuses = [](int) -> task<int> { throw std::logic_error("no coroutine"); };
    EXPECT_THROW(co_await spawn(refuses, 1), std::logic_error);
  });
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(Spawn, NamesTheCallersLineWhicheverForm) {
  accounted_executor tasks({.threads = 1});
  const std::uint32_t line = __builtin_LINE();
  const task_handle<int> first = tasks.spawn(square(1));
  const task_handle<int> second = tasks.spawn(square, 1);
  const task_handle<int> third = tasks.spawn({.name = "x"}, square, 1);
  EXPECT_EQ(first.site().line, line + 1);
  EXPECT_EQ(second.site().line, line + 2);
  EXPECT_EQ(third.site().line, line + 3);
  const task_handle<int> told = tasks.spawn(square, 1, source_site{"f.cpp", "g", 3});
  EXPECT_EQ(told.site().line, 3u);
}

TEST_F(Spawn, NeverRunsTheTaskInside) {
  run([]() -> task<> {
    bool ran = false;
    const auto body = [&]() -> task<> {
      ran = true;
      co_return;
    };
    const task_handle<> handle = spawn(body);
    EXPECT_FALSE(ran);
    co_await handle;
    EXPECT_TRUE(ran);
  });
}

TEST_F(Spawn, ImmediateRunsUpToTheFirstSuspension) {
  run([]() -> task<> {
    int stage = 0;
    const task_id outer = this_task::id();
    const auto body = [&]() -> task<> {
      EXPECT_NE(this_task::id(), outer);
      stage = 1;
      co_await sleep_for(1ms);
      stage = 2;
    };
    const task_handle<> handle = spawn({.start = start_mode::immediate}, body);
    EXPECT_EQ(stage, 1);
    EXPECT_EQ(this_task::id(), outer) << "the spawner goes on as itself";
    co_await handle;
    EXPECT_EQ(stage, 2);
    const task_handle<int> ended = spawn({.start = start_mode::immediate}, square, 2);
    EXPECT_TRUE(ended.done());
    const task_handle<int> ran = spawn({.start = start_mode::immediate}, plain, 2);
    EXPECT_EQ(ran.result().get(), 3);
  });
}

TEST_F(Spawn, ImmediateIsQueuedFromOutside) {
  accounted_executor tasks({.threads = 1});
  std::atomic<bool> on_worker{false};
  const task_handle<> handle =
      tasks.spawn({.start = start_mode::immediate}, [&] { on_worker = tasks.on_own_worker(); });
  tasks.wait_until_idle();
  EXPECT_TRUE(handle.done());
  EXPECT_TRUE(on_worker);
}

TEST_F(Spawn, ImmediateTasksNest) {
  run([]() -> task<> {
    const auto nested = [](auto self, int depth) -> task<int> {
      if (depth == 0) {
        co_return 1;
      }
      const task_handle<int> inner = spawn({.start = start_mode::immediate}, self, self, depth - 1);
      EXPECT_TRUE(inner.done());
      co_return inner.result().get() + 1;
    };
    const task_handle<int> all = spawn({.start = start_mode::immediate}, nested, nested, 20);
    EXPECT_EQ(all.result().get(), 21);
    co_return;
  });
}

TEST_F(Spawn, GuaranteedRunsUpToItsFirstCancellationPoint) {
  run([]() -> task<> {
    int stage = 0;
    const auto body = [&]() -> task<> {
      stage = 1;
      co_await nothing();
      stage = 2;
      co_await checkpoint();
      stage = 3;
    };
    const task_handle<> handle = spawn({.start = start_mode::guaranteed}, body);
    handle.cancel();
    EXPECT_THROW(co_await handle, task_cancelled);
    EXPECT_EQ(stage, 2);
  });
}

TEST_F(Spawn, GivesATaskATimeout) {
  run([]() -> task<> {
    const time_point start = now();
    const task_handle<> slow = spawn({.timeout = 10ms}, sleeper, 1h);
    EXPECT_THROW(co_await slow, timeout_error);
    EXPECT_EQ(now() - start, 10ms);
    EXPECT_EQ(slow.status(), task_status::failed);
    EXPECT_EQ(slow.result().entry().context()->kind(), cancel_kind::deadline);
    const task_handle<> quick = spawn({.timeout = 1s}, sleeper, 1ms);
    co_await quick;
    const task_handle<> endless = spawn({.timeout = forever}, sleeper, 1ms);
    co_await endless;
    const task_handle<> negative = spawn({.timeout = -1h}, sleeper, 1ms);
    EXPECT_THROW(co_await negative, timeout_error);
    const task_handle<> least = spawn({.timeout = duration::min()}, sleeper, 1ms);
    EXPECT_THROW(co_await least, timeout_error);
    EXPECT_EQ(co_await spawn({.timeout = -1s}, square, 3), 9) << "it reached no cancellation point";
  });
}

TEST_F(Spawn, TimeoutOfATaskThatIsCancelledOtherwiseIsNoTimeout) {
  run([]() -> task<> {
    const task_handle<> handle = spawn({.timeout = 1s}, sleeper, 1h);
    co_await sleep_for(1ms);
    handle.cancel("by hand");
    EXPECT_THROW(co_await handle, task_cancelled);
    EXPECT_EQ(handle.status(), task_status::cancelled);
  });
}

TEST_F(Spawn, RefusedOverTheLimitLeavesTheTaskToTheCaller) {
  run(
      []() -> task<> {
        const task_handle<> first = spawn(sleeper(1ms));
        const auto argument = std::make_shared<int>(1);
        const auto holding = [](std::shared_ptr<int>) -> task<> { co_return; };
        task<> mine = holding(argument);
        EXPECT_THROW(spawn(std::move(mine)), resource_exhausted);
        EXPECT_TRUE(mine) << "still in the caller's hands";
        EXPECT_FALSE(try_spawn(std::move(mine)));
        EXPECT_TRUE(mine);
        EXPECT_FALSE(try_spawn({.name = "x"}, std::move(mine)));
        EXPECT_TRUE(mine);
        auto pointer = std::make_unique<int>(2);
        EXPECT_FALSE(try_spawn(passed_on, std::move(pointer)));
        EXPECT_NE(pointer, nullptr);
        EXPECT_THROW(spawn(passed_on, std::move(pointer)), resource_exhausted);
        EXPECT_NE(pointer, nullptr);
        co_await std::move(mine);
        EXPECT_EQ(argument.use_count(), 1);
        co_await first;
        EXPECT_TRUE(try_spawn(square, 1)) << "there is room again";
      },
      {.threads = 1, .max_tasks = 2});
}

TEST_F(Spawn, RefusedAfterCloseIsScopeClosed) {
  accounted_executor tasks({.threads = 1});
  tasks.close();
  task<int> mine = square(2);
  EXPECT_THROW(tasks.spawn(std::move(mine)), scope_closed);
  EXPECT_TRUE(mine);
  EXPECT_FALSE(tasks.try_spawn(std::move(mine)));
  EXPECT_TRUE(mine);
  EXPECT_THROW(tasks.spawn(square, 1), scope_closed);
  EXPECT_THROW(tasks.block_on(square(1)), scope_closed);
  EXPECT_EQ(tasks.counts().spawned, 0u);
}

TEST_F(Spawn, OutsideATaskTheFreeFormIsAUsageError) {
  task<int> mine = square(2);
  EXPECT_THROW(spawn(std::move(mine)), usage_error);
  EXPECT_TRUE(mine);
  EXPECT_THROW(spawn(square, 1), usage_error);
  EXPECT_THROW((void)try_spawn(square, 1), usage_error);
  EXPECT_THROW(set_error_handler({}), usage_error);
}

TEST_F(Spawn, OfAnEmptyTaskIsAUsageError) {
  accounted_executor tasks({.threads = 1});
  EXPECT_THROW(tasks.spawn(task<int>()), usage_error);
  EXPECT_THROW((void)tasks.try_spawn(task<int>()), usage_error);
}

TEST_F(Spawn, ReportsAFailureThatNobodyIsSuspendedOnAtOnce) {
  run([&]() -> task<> {
    const auto fails = []() -> task<int> { throw std::runtime_error("unseen"); };
    const task_handle<int> handle = spawn({.name = "failing"}, fails);
    co_await sleep_for(1ms);
    EXPECT_EQ(log_.size(), 1u);
    EXPECT_THROW(co_await handle, std::runtime_error) << "and is there for whoever asks";
    EXPECT_EQ(log_.size(), 1u);
    const std::vector<error_report> reports = log_.take();
    EXPECT_EQ(reports[0].origin, error_origin::child);
    EXPECT_EQ(reports[0].entry.id(), handle.id());
    EXPECT_EQ(reports[0].entry.name(), "failing");
    EXPECT_EQ(reports[0].entry.message(), "unseen");
  });
}

TEST_F(Spawn, ReportsAFailureWhoseAwaiterWasStopped) {
  run([&]() -> task<> {
    const auto fails = []() -> task<int> {
      co_await sleep_for(10ms);
      throw std::runtime_error("too late");
    };
    const task_handle<int> handle = spawn(fails);
    const auto waits = [](task_handle<int> of) -> task<> { co_await of; };
    const task_handle<> awaiter = spawn(waits, handle);
    co_await sleep_for(1ms);
    awaiter.cancel();
    co_await sleep_for(20ms);
  });
  EXPECT_EQ(log_.messages(), std::vector<std::string>{"too late"});
}

TEST_F(Spawn, KeepsAFailureThatFollowsACancelWithItsContext) {
  run([&]() -> task<> {
    const auto stubborn = []() -> task<> {
      this_task::ref().cancel("please");
      throw std::runtime_error("in cleanup");
      co_return;
    };
    const task_handle<> handle = spawn(stubborn);
    EXPECT_THROW(co_await handle, std::runtime_error);
    EXPECT_EQ(handle.result().entry().context()->message(), "please");
  });
}

}  // namespace
}  // namespace coppice
