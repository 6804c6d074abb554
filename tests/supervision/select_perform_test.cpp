// Operations of one's own in a select().
#include <coppice/awaiter.h>
#include <coppice/channel.h>
#include <coppice/group.h>
#include <coppice/select.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class SelectPerforming : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, SelectPerforming, testing::Values(1, 2, 4));

// Ends when it is told to; how it ends when it is cancelled is settled before.
struct remote {
  enum class reply { stopped, value, failure, later };

  struct operation {
    using value_type = int;

    void start(completion<int> to_call) {
      ++of->started;
      if (of->fails_to_start) {
        throw std::runtime_error("no start");
      }
      of->done = std::move(to_call);
    }
    void cancel() noexcept {
      ++of->cancelled;
      switch (of->when_cancelled) {
        case reply::stopped:
          of->done.stopped();
          break;
        case reply::value:
          of->done.complete(-1);
          break;
        case reply::failure:
          of->done.fail(std::make_exception_ptr(std::runtime_error("late")));
          break;
        case reply::later:
          break;
      }
    }

    remote* of;
  };

  auto call() { return perform(operation{this}); }

  reply when_cancelled = reply::stopped;
  bool fails_to_start = false;
  int started = 0;
  int cancelled = 0;
  completion<int> done = {};
};

TEST_P(SelectPerforming, APerformedOperationMayWin) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    remote server;
    channel<int> items;
    const task_handle<> selecting = spawn([&]() -> task<> {
      const auto one = co_await select(items.receive(), server.call(), sleep_for(1h));
      EXPECT_EQ(std::get<1>(one), 4);
    });
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(server.started, 1);
    server.done.complete(4);
    co_await selecting;
    EXPECT_EQ(server.cancelled, 0);
    EXPECT_FALSE(items.try_send(1));
  });
}

TEST_P(SelectPerforming, APerformedOperationIsNotStartedIfAnotherIsReady) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    remote server;
    channel<int> items(1);
    co_await items.send(1);
    EXPECT_EQ((co_await select(server.call(), items.receive())).index(), 1u);
    EXPECT_EQ(server.started, 0);
  });
}

TEST_P(SelectPerforming, APerformedOperationThatLosesIsAskedToEndAndWaitedFor) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    remote quick;
    remote slow;
    slow.when_cancelled = remote::reply::later;
    const task_handle<std::size_t> selecting = spawn([&]() -> task<std::size_t> {
      const auto one = co_await select(quick.call(), slow.call(), sleep_for(1s));
      co_return one.index();
    });
    co_await sleep_for(2s);
    EXPECT_EQ(quick.cancelled, 1);
    EXPECT_EQ(slow.cancelled, 1);
    EXPECT_FALSE(selecting.done());
    slow.done.stopped();
    EXPECT_EQ(co_await selecting, 2u);
  });
}

// A time that has come is no effect: what was performed is better.
TEST_P(SelectPerforming, WhatAPerformedOperationGivesAllTheSameIsTheResult) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    remote server;
    server.when_cancelled = remote::reply::value;
    auto one = co_await select(sleep_for(1s), server.call());
    EXPECT_EQ(std::get<1>(one), -1);
    server.when_cancelled = remote::reply::failure;
    EXPECT_THROW(co_await select(sleep_for(1s), server.call()), std::runtime_error);
    server.when_cancelled = remote::reply::value;
    std::optional<int> given;
    const task_handle<> selecting = spawn([&]() -> task<> {
      const auto two = co_await select(sleep_for(1h), server.call());
      given = std::get<1>(two);
    });
    co_await wait_all_tasks_blocked();
    selecting.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(given, -1);
  });
}

TEST_P(SelectPerforming, StoppedItStopsWhenWhatIsPerformedHasEnded) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    remote server;
    server.when_cancelled = remote::reply::later;
    channel<int> items;
    const task_handle<> selecting = spawn([&]() -> task<> {
      co_await select(items.receive(), server.call());
      ADD_FAILURE();
    });
    co_await wait_all_tasks_blocked();
    selecting.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(server.cancelled, 1);
    EXPECT_FALSE(selecting.done());
    EXPECT_FALSE(items.try_send(1));
    server.done.stopped();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(selecting.status(), task_status::cancelled);
  });
}

TEST_P(SelectPerforming, AStartThatFailsIsItsFailureAndTheOthersLose) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    remote before;
    remote broken;
    broken.fails_to_start = true;
    channel<int> items;
    EXPECT_THROW(co_await select(before.call(), items.receive(), broken.call()),
                 std::runtime_error);
    EXPECT_EQ(before.cancelled, 1);
    EXPECT_FALSE(items.try_send(1));
  });
}

}  // namespace
}  // namespace coppice
