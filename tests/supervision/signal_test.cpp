#include <coppice/detail/signal.h>
#include <coppice/scope.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/load.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::rounds;

TEST(Signal, LetsGoWhoWaitsAndWhoComesLater) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    detail::signal happened;
    const task_handle<> waiting = spawn([&]() -> task<> { co_await happened.wait("something"); });
    co_await sleep_for(1s);
    EXPECT_FALSE(waiting.done());
    happened.set();
    happened.set();
    co_await waiting;
    co_await happened.wait("something");
    EXPECT_TRUE(happened.is_set());
  });
}

TEST(Signal, AStoppedWaiterLeavesItToTheNext) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    detail::signal happened;
    const auto body = [&]() -> task<> { co_await happened.wait("something"); };
    const auto result = co_await with_scope({.timeout = 1s}, body);
    EXPECT_TRUE(result.expired);
    const task_handle<> next = spawn(body);
    co_await sleep_for(1s);
    happened.set();
    co_await next;
  });
}

TEST(Signal, MayHappenAgainOnceItIsCleared) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    detail::signal happened;
    happened.set();
    happened.clear();
    EXPECT_FALSE(happened.is_set());
    const task_handle<> waiting = spawn([&]() -> task<> { co_await happened.wait("something"); });
    co_await sleep_for(1s);
    EXPECT_FALSE(waiting.done());
    happened.set();
    co_await waiting;
  });
}

TEST(SignalRaces, IsNotLostWhenItComesWhileSomebodyBeginsToWait) {
  runtime rt({.threads = 2});
  for (long round = rounds(100'000, 500); round != 0; --round) {
    detail::signal happened;
    rt.block_on([&]() -> task<> {
      const task_handle<> setting = spawn([&] { happened.set(); });
      co_await happened.wait("something");
      co_await setting;
    });
  }
}

}  // namespace
}  // namespace coppice
