// Misuse of the tree: each gets a usage_error that names the call, changes nothing, and leaves no frame.
#include <coppice/as_completed.h>
#include <coppice/cleanup.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/race.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/task_local.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <coppice/wait.h>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <exception>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::number;
using testing_support::sleeper;

// The text of the usage_error that the call throws.
std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const usage_error& error) {
    return error.what();
  }
  return "no usage_error";
}

// The same of what is awaited.
template <class A>
task<std::string> refusal_of(A awaited) {
  try {
    co_await std::move(awaited);
  } catch (const usage_error& error) {
    co_return error.what();
  }
  co_return "no usage_error";
}

testing::AssertionResult names(const std::string& text, const std::string& call) {
  if (text.find(call) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << '"' << text << "\" does not name " << call;
}

class Misuse : public testing::Test {
 protected:
  test_runtime rt_;
};

// ---- Scopes and handles -------------------------------------------------------------------------

TEST_F(Misuse, OfAnEmptyHandleToSpawn) {
  const scope_handle empty;
  for (scope_handle handle : {scope_handle(), empty}) {
    EXPECT_TRUE(names(refusal([&] { handle.spawn(number(1)); }), "spawn on an empty scope_handle"));
    EXPECT_TRUE(names(refusal([&] { static_cast<void>(handle.try_spawn(number(1))); }),
                      "spawn on an empty scope_handle"));
  }
}

TEST_F(Misuse, OfAHandleThatWasMovedFrom) {
  rt_.block_on([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      scope_handle from = g.handle();
      const scope_handle to = std::move(from);
      EXPECT_FALSE(from);
      EXPECT_TRUE(names(refusal([&] { from.spawn(number(1)); }), "empty scope_handle"));
      EXPECT_TRUE(to);
      co_return;
    });
  });
}

TEST_F(Misuse, OfAScopeThatKeepsNoTasks) {
  rt_.block_on([]() -> task<> {
    co_await with_scope([](cancel_scope& scope) -> task<> {
      scope_handle plain = scope.handle();
      task<int> mine = number(1);
      EXPECT_TRUE(names(refusal([&] { plain.spawn(std::move(mine)); }), "keeps no tasks"));
      EXPECT_TRUE(names(refusal([&] { static_cast<void>(plain.try_spawn(std::move(mine))); }),
                        "keeps no tasks"));
      EXPECT_EQ(co_await std::move(mine), 1) << "it is still the caller's";
    });
    co_await shield([]() -> task<> {
      scope_handle innermost = current_scope();
      EXPECT_TRUE(names(refusal([&] { innermost.spawn(number(1)); }), "keeps no tasks"));
      co_return;
    });
  });
}

TEST_F(Misuse, OfAManualScopeThatIsNotOpen) {
  manual_group group;
  EXPECT_TRUE(names(refusal([&] { group.reschedule(std::nullopt); }), "reschedule()"));
  EXPECT_TRUE(names(refusal([&] { group.reschedule_after(1s); }), "reschedule()"));
  EXPECT_TRUE(names(refusal([&] { group.bind({}); }), "bind()"));
  EXPECT_TRUE(names(refusal([&] { group.on_error({}); }), "on_error()"));
  manual_supervisor jobs;
  EXPECT_TRUE(names(refusal([&] { jobs.on_error({}); }), "on_error()"));
  EXPECT_TRUE(names(refusal([&] { jobs.reschedule_after(1s); }), "not open"));
}

// What only asks, or wants what is there already, is no misuse.
TEST_F(Misuse, IsNotToAskAManualScopeThatIsNotOpen) {
  manual_group group({.name = "idle"});
  group.cancel("nobody");
  EXPECT_FALSE(group.cancelled());
  EXPECT_FALSE(group.shielded());
  EXPECT_FALSE(group.expired());
  EXPECT_FALSE(group.is_open());
  EXPECT_EQ(group.size(), 0u);
  EXPECT_EQ(group.deadline(), std::nullopt);
  EXPECT_FALSE(group.token().stop_requested());
  EXPECT_TRUE(group.handle().closed());
  manual_supervisor jobs;
  jobs.request_shutdown();
  jobs.cancel_host("nobody");
  EXPECT_FALSE(jobs.is_open());
  EXPECT_EQ(jobs.size(), 0u);
}

TEST_F(Misuse, OfAScopeByAnotherThanItsHost) {
  rt_.block_on([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      co_await g.spawn([&]() -> task<> {
        EXPECT_TRUE(names(refusal([&] { g.reschedule_after(1s); }), "reschedule()"));
        EXPECT_TRUE(names(refusal([&] { g.bind({}); }), "bind()"));
        co_return;
      });
      EXPECT_EQ(g.deadline(), std::nullopt);
    });
  });
}

TEST_F(Misuse, OutsideATask) {
  EXPECT_TRUE(names(refusal([] { static_cast<void>(current_scope()); }), "current_scope()"));
  EXPECT_TRUE(names(refusal([] { static_cast<void>(current_deadline()); }), "current_deadline()"));
  EXPECT_TRUE(
      names(refusal([] { static_cast<void>(this_task::scopes()); }), "this_task::scopes()"));
  EXPECT_TRUE(names(refusal([] { manual_group().open(); }), "manual_group::open()"));
  EXPECT_TRUE(names(refusal([] { manual_supervisor().open(); }), "manual_supervisor::open()"));
  EXPECT_TRUE(names(refusal([] { spawn(number(1)); }), "spawn"));
  EXPECT_TRUE(names(refusal([] { static_cast<void>(try_spawn(number(1))); }), "spawn"));
  EXPECT_TRUE(names(refusal([] { set_error_handler({}); }), "set_error_handler"));
  EXPECT_TRUE(names(refusal([] { static_cast<void>(all_tasks()); }), "all_tasks"));
  EXPECT_FALSE(cancel_requested());
  EXPECT_EQ(this_task::id(), task_id::none);
}

TEST_F(Misuse, ToOpenTwice) {
  rt_.block_on([]() -> task<> {
    manual_group group;
    manual_supervisor jobs;
    group.open();
    jobs.open();
    EXPECT_TRUE(names(refusal([&] { group.open(); }), "manual_group::open()"));
    EXPECT_TRUE(names(refusal([&] { jobs.open(); }), "manual_supervisor::open()"));
    const task_handle<int> child = group.spawn(number(1));
    EXPECT_EQ(co_await child, 1) << "it is open as before";
    co_await group.close();
    co_await jobs.close();
  });
}

TEST_F(Misuse, ToSayTwiceThatAChildHasStarted) {
  rt_.block_on([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      const auto child = [](basic_start_gate<int>& gate) -> task<> {
        gate.started(1);
        EXPECT_TRUE(names(refusal([&] { gate.started(2); }), "started()"));
        co_return;
      };
      EXPECT_EQ(co_await g.start<int>(child), 1);
    });
  });
}

// ---- Limits, and nothing at all -----------------------------------------------------------------

TEST_F(Misuse, OfALimitOfZero) {
  rt_.block_on([]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.push_back(number(1));
    const std::vector<int> elements = {1};
    const auto each = [](int) {};
    const auto body = [](completions<int>&) -> task<> { co_return; };
    EXPECT_TRUE(names(co_await refusal_of(gather(limit{0}, tasks)), "gather"));
    EXPECT_TRUE(names(co_await refusal_of(gather_settled(limit{0}, tasks)), "gather_settled"));
    EXPECT_TRUE(names(co_await refusal_of(for_each(limit{0}, elements, each)), "for_each"));
    EXPECT_TRUE(names(co_await refusal_of(as_completed(limit{0}, tasks, body)), "as_completed"));
    EXPECT_TRUE(tasks.front()) << "nothing has been taken";
  });
}

TEST_F(Misuse, OfARaceOfNothing) {
  rt_.block_on([]() -> task<> {
    EXPECT_TRUE(names(co_await refusal_of(race(std::vector<task<>>())), "race"));
    EXPECT_TRUE(names(co_await refusal_of(race_success(std::vector<task<int>>())), "race_success"));
  });
}

// ---- Tasks and handles that hold nothing --------------------------------------------------------

TEST_F(Misuse, OfAnEmptyTaskInAJoin) {
  rt_.block_on([]() -> task<> {
    EXPECT_TRUE(names(co_await refusal_of(gather(task<int>())), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(gather_or_abort(number(1), task<int>())), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(race(task<int>())), "empty task"));
    std::vector<task<int>> tasks(2);
    EXPECT_TRUE(names(co_await refusal_of(race(tasks)), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(gather(std::move(tasks))), "empty task"));
    const auto nth = [](std::size_t) { return task<int>(); };
    EXPECT_TRUE(names(co_await refusal_of(gather_n(2, nth)), "empty task"));
    const auto [settled, other] = co_await gather_settled(task<int>(), number(2));
    EXPECT_TRUE(settled.failed());
    EXPECT_NE(settled.entry().get_if<usage_error>(), nullptr);
    EXPECT_EQ(other.get(), 2);
  });
}

TEST_F(Misuse, OfAnEmptyTaskUnderATimeLimit) {
  rt_.block_on([]() -> task<> {
    EXPECT_TRUE(names(co_await refusal_of(with_timeout(1s, task<>())), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(with_deadline(now() + 1s, task<>())), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(move_on_after(1s, task<>())), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(move_on_at(now() + 1s, task<>())), "empty task"));
  });
}

TEST_F(Misuse, OfAnEmptyTaskInAShield) {
  rt_.block_on([]() -> task<> {
    EXPECT_TRUE(names(co_await refusal_of(shield(task<>())), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(shield(1s, task<>())), "empty task"));
  });
}

TEST_F(Misuse, OfAnEmptyTaskWithACleanupOrABinding) {
  int cleaned = 0;
  rt_.block_on([&]() -> task<> {
    const task_local<int> key;
    const auto cleanup = [&] { ++cleaned; };
    EXPECT_TRUE(names(co_await refusal_of(with_cleanup(task<>(), cleanup)), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(key.with(1, task<>())), "empty task"));
  });
  EXPECT_EQ(cleaned, 1) << "whatever the end";
}

TEST_F(Misuse, OfAnEmptyTaskWhoseEndIsLookedAt) {
  rt_.block_on([]() -> task<> {
    EXPECT_TRUE(names(co_await refusal_of(as_result(task<>())), "empty task"));
    const auto hands_up = []() -> task<> { co_await nothrow(task<>()); };
    EXPECT_TRUE(names(co_await refusal_of(hands_up()), "empty task"));
  });
}

TEST_F(Misuse, OfACallableThatGivesAnEmptyTaskAsABody) {
  rt_.block_on([]() -> task<> {
    const auto none = [] { return task<>(); };
    EXPECT_TRUE(names(co_await refusal_of(with_scope(none)), "empty task"));
    EXPECT_TRUE(names(co_await refusal_of(shield(none)), "empty task"));
    const auto of_supervisor = [](supervisor&) { return task<>(); };
    EXPECT_TRUE(names(co_await refusal_of(with_supervisor(of_supervisor)), "empty task"));
    const auto of_group = [](task_group&) { return task<>(); };
    const outcome<> group = co_await as_result(with_group(of_group));
    const auto* const failures = group.entry().get_if<exception_group>();
    EXPECT_TRUE(failures != nullptr && !failures->subgroup<usage_error>()->exceptions().empty());
  });
}

TEST_F(Misuse, OfACallableThatGivesAnEmptyTaskToSpawn) {
  rt_.block_on([]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      s.on_error([](const error_report&) {});
      const task_handle<> child = s.spawn([] { return task<>(); });
      EXPECT_TRUE(names(co_await refusal_of(child), "empty task"));
    });
  });
}

TEST_F(Misuse, OfAnEmptyTaskToSpawn) {
  rt_.block_on([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      EXPECT_TRUE(names(refusal([&] { g.spawn(task<>()); }), "spawn of an empty task"));
      EXPECT_TRUE(names(refusal([&] { static_cast<void>(g.try_spawn(task<>())); }), "empty task"));
      EXPECT_EQ(g.size(), 0u);
      co_return;
    });
    co_await with_supervisor([](supervisor& s) -> task<> {
      EXPECT_TRUE(names(refusal([&] { s.spawn({.name = "x"}, task<>()); }), "empty task"));
      EXPECT_EQ(s.size(), 0u);
      co_return;
    });
  });
}

TEST_F(Misuse, OfAnEmptyHandleInAWait) {
  rt_.block_on([]() -> task<> {
    const std::array<task_handle<>, 2> handles = {spawn(sleeper(1s)), task_handle<>()};
    EXPECT_TRUE(names(co_await refusal_of(wait(handles)), "empty handle"));
    EXPECT_TRUE(names(co_await refusal_of(wait_or_abort(handles)), "empty handle"));
    EXPECT_TRUE(names(co_await refusal_of(cancel_all(handles)), "empty handle"));
    EXPECT_TRUE(names(co_await refusal_of(cancel_and_wait(task_ref())), "empty handle"));
    EXPECT_TRUE(names(co_await refusal_of(follow_through(task_handle<int>())), "empty handle"));
    EXPECT_EQ(handles[0].status(), task_status::pending) << "nobody was cancelled";
    co_await handles[0];
  });
}

TEST_F(Misuse, ToCancelAndAwaitOneself) {
  rt_.block_on([]() -> task<> {
    const task_handle<> other = spawn(sleeper(1s));
    const task_handle<> self = spawn([&]() -> task<> {
      const std::array<task_ref, 2> both = {other, this_task::ref()};
      EXPECT_TRUE(names(co_await refusal_of(cancel_and_wait(this_task::ref())), "cancel_and_wait"));
      EXPECT_TRUE(names(co_await refusal_of(cancel_all(both)), "cancel_"));
      EXPECT_FALSE(cancel_requested());
    });
    co_await self;
    co_await other;
  });
}

// ---- Stops and groups of failures ---------------------------------------------------------------

TEST_F(Misuse, ToStopWhereNobodyIsAskedTo) {
  rt_.block_on([]() -> task<> {
    EXPECT_TRUE(names(co_await refusal_of(stop()), "stop()"));
    co_await with_scope([](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await shield([]() -> task<> {
        EXPECT_TRUE(names(co_await refusal_of(stop()), "stop()")) << "below a shield";
      });
    });
  });
}

TEST_F(Misuse, OfAGroupOfNoFailures) {
  EXPECT_TRUE(names(refusal([] { exception_group("none", {}); }), "exception_group"));
  EXPECT_TRUE(names(refusal([] { exception_group("one", {error_entry()}); }), "error_entry"));
  const exception_group group("one", {error_entry(std::make_exception_ptr(1))});
  EXPECT_TRUE(names(refusal([&] { static_cast<void>(group.split(nullptr)); }), "split"));
  EXPECT_TRUE(names(refusal([] { outcome<>::failed_with(error_entry()).get(); }), "outcome::get"));
}

// ---- The runtime --------------------------------------------------------------------------------

TEST_F(Misuse, OfTheRuntimeOnItsOwnWorker) {
  rt_.block_on([&]() -> task<> {
    EXPECT_TRUE(names(refusal([&] { rt_.block_on(number(1)); }), "block_on"));
    EXPECT_TRUE(names(refusal([&] { rt_.shutdown(); }), "shutdown()"));
    EXPECT_TRUE(names(refusal([&] { rt_.advance(1s); }), "advance"));
    EXPECT_TRUE(names(refusal([&] { rt_.run_until_blocked(); }), "run_until_blocked"));
    co_return;
  });
  EXPECT_TRUE(names(refusal([&] { rt_.block_on(task<>()); }), "block_on of an empty task"));
}

TEST_F(Misuse, OfAResultBeforeTheEnd) {
  rt_.block_on([]() -> task<> {
    const task_handle<> handle = spawn(sleeper(1s));
    EXPECT_TRUE(names(refusal([&] { static_cast<void>(handle.result()); }), "result()"));
    EXPECT_TRUE(names(refusal([&] { handle.on_done(nullptr); }), "on_done"));
    co_await handle;
  });
}

}  // namespace
}  // namespace coppice
