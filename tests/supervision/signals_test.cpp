#include <coppice/signals.h>

#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/shield.h>

#include <gtest/gtest.h>

#include <csignal>

#include <atomic>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

class Signals : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, Signals, testing::Values(1u, 2u, 4u));

task<int> next_of(signal_receiver& from) {
  co_return co_await from.next();
}

TEST_P(Signals, GiveTheTaskThatWaitsTheirNumber) {
  signal_receiver receiver({SIGUSR1, SIGUSR2});
  test_runtime rt(workers());
  const task_handle<int> waiting = rt.spawn(next_of, std::ref(receiver));
  rt.run_until_blocked();
  EXPECT_FALSE(waiting.done());
  std::raise(SIGUSR2);
  rt.run_until_blocked();
  ASSERT_TRUE(waiting.done());
  EXPECT_EQ(waiting.result().get(), SIGUSR2);
}

TEST_P(Signals, MayComeFromATask) {
  signal_receiver receiver({SIGUSR1});
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> waiting = spawn(next_of, std::ref(receiver));
    co_await wait_all_tasks_blocked();
    std::raise(SIGUSR1);
    const int number = co_await waiting;
    EXPECT_EQ(number, SIGUSR1);
  });
}

TEST_P(Signals, AreKeptUntilTakenSeveralOfOneNumberAsOne) {
  signal_receiver receiver({SIGUSR1, SIGUSR2});
  std::raise(SIGUSR2);
  std::raise(SIGUSR1);
  std::raise(SIGUSR2);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const int first = co_await receiver.next();
    EXPECT_EQ(first, SIGUSR1) << "the lowest";
    const int second = co_await receiver.next();
    EXPECT_EQ(second, SIGUSR2);
    EXPECT_EQ(receiver.try_next(), std::nullopt);
    const std::optional<int> third = co_await move_on_after(1s, receiver.next());
    EXPECT_EQ(third, std::nullopt);
  });
}

TEST_P(Signals, AStoppedWaitTakesNone) {
  signal_receiver receiver({SIGUSR1});
  test_runtime rt(workers());
  const task_handle<int> stopped = rt.spawn(next_of, std::ref(receiver));
  rt.run_until_blocked();
  stopped.cancel();
  rt.run_until_blocked();
  EXPECT_EQ(stopped.status(), task_status::cancelled);
  std::raise(SIGUSR1);
  EXPECT_EQ(rt.block_on(next_of, std::ref(receiver)), SIGUSR1);
}

TEST_P(Signals, StoppedOnEntryNoneIsTaken) {
  signal_receiver receiver({SIGUSR1});
  std::raise(SIGUSR1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await receiver.next();
    });
    EXPECT_TRUE(result.cancelled_caught);
  });
  EXPECT_EQ(receiver.try_next(), SIGUSR1);
}

TEST_P(Signals, AreToldToEachReceiverAndRuntime) {
  signal_receiver first({SIGUSR1});
  signal_receiver second({SIGUSR1});
  test_runtime rt(workers());
  test_runtime other(workers());
  const task_handle<int> a = rt.spawn(next_of, std::ref(first));
  const task_handle<int> b = other.spawn(next_of, std::ref(second));
  rt.run_until_blocked();
  other.run_until_blocked();
  std::raise(SIGUSR1);
  rt.run_until_blocked();
  other.run_until_blocked();
  EXPECT_TRUE(a.done());
  EXPECT_TRUE(b.done());
}

TEST_P(Signals, ASecondTaskThatWaitsIsAUsageError) {
  signal_receiver receiver({SIGUSR1});
  test_runtime rt(workers());
  const task_handle<int> first = rt.spawn(next_of, std::ref(receiver));
  rt.run_until_blocked();
  EXPECT_THROW(rt.block_on(next_of, std::ref(receiver)), usage_error);
}

TEST_P(Signals, WaitingForOneIsNoDeadlockAndShowsInDumps) {
  signal_receiver receiver({SIGUSR1});
  std::string text;
  test_runtime rt(workers());
  std::jthread raising;
  rt.block_on([&]() -> task<> {
    const task_handle<int> waiting = spawn(next_of, std::ref(receiver));
    co_await wait_all_tasks_blocked();
    std::ostringstream out;
    dump_tasks(out);
    text = out.str();
    raising = std::jthread([] { std::raise(SIGUSR1); });
    co_await waiting;
  });
  EXPECT_NE(text.find("suspended on signal"), std::string::npos) << text;
}

std::atomic<int> heard_before{0};

TEST_P(Signals, ThatNobodyTookGoWhereTheyWouldHaveGone) {
  heard_before = 0;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = [](int) { ++heard_before; };
  ::sigaction(SIGUSR1, &action, &before);
  {
    const signal_receiver receiver({SIGUSR1, SIGUSR2});
    std::raise(SIGUSR1);
    EXPECT_EQ(heard_before, 0);
  }
  EXPECT_EQ(heard_before, 1);
  {
    signal_receiver receiver({SIGUSR1});
    {
      const signal_receiver other({SIGUSR1});
      std::raise(SIGUSR1);
    }
    EXPECT_EQ(heard_before, 1) << "somebody else listens";
    EXPECT_EQ(receiver.try_next(), SIGUSR1);
  }
  EXPECT_EQ(heard_before, 1);
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_P(Signals, RequestTheShutdownOfEachRuntime) {
  test_runtime rt(workers());
  test_runtime other(workers());
  const shutdown_on_signals on_signals(rt, {SIGUSR1});
  const shutdown_on_signals on_others(other, {SIGUSR1});
  const task_handle<> a = rt.spawn(testing_support::sleeper(forever));
  const task_handle<> b = other.spawn(testing_support::sleeper(forever));
  rt.run_until_blocked();
  other.run_until_blocked();
  std::raise(SIGUSR1);
  rt.run_until_blocked();
  other.run_until_blocked();
  EXPECT_EQ(a.status(), task_status::cancelled);
  EXPECT_EQ(a.result().reason().kind(), cancel_kind::shutdown);
  EXPECT_EQ(b.status(), task_status::cancelled);
}

TEST(SignalsOnce, ListenToNoneThatCannotBeCaught) {
  EXPECT_THROW(signal_receiver({SIGKILL}), usage_error);
  runtime rt({.threads = 1});
  EXPECT_THROW(shutdown_on_signals(rt, {SIGSEGV}), usage_error);
}

TEST(SignalsDeathTest, TheSecondOneKills) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        runtime rt({.threads = 1});
        const shutdown_on_signals on_signals(rt);
        std::raise(SIGINT);
        std::raise(SIGTERM);
      },
      testing::KilledBySignal(SIGTERM), "");
}

TEST(SignalsDeathTest, AReceiverThatGoesBeforeItsWaitTerminatesWithASentence) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        std::optional<signal_receiver> receiver;
        receiver.emplace(std::initializer_list<int>{SIGUSR1});
        test_runtime rt;
        const task_handle<int> waiting = rt.spawn(next_of, std::ref(*receiver));
        rt.run_until_blocked();
        receiver.reset();
      },
      "signal_receiver is destroyed while a task waits");
}

}  // namespace
}  // namespace coppice
