#include <coppice/detail/blocking_call.h>

#include <coppice/blocking.h>
#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/held_call.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::held_call;

class BlockingCall : public testing_support::accounted_test {};

task<> holding(held_call& call, blocking_options options) {
  co_await spawn_blocking(options, std::ref(call));
}

TEST_F(BlockingCall, IsListedFromItsQueueingToItsEnd) {
  held_call first;
  held_call second;
  accounted_executor tasks({.threads = 1, .blocking_threads = 1});
  EXPECT_TRUE(blocking_calls(tasks).empty());
  const auto site = source_site::current();
  const task_handle<> a = tasks.spawn(holding, std::ref(first), blocking_options{.name = "a"});
  const task_handle<> b = tasks.spawn(holding, std::ref(second), blocking_options{.name = "b"});
  first.wait_until_begun();
  tasks.block_on([] {});
  std::vector<blocking_call_info> calls = blocking_calls(tasks);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].name, "a");
  EXPECT_EQ(calls[0].task, a.id());
  EXPECT_TRUE(calls[0].begun);
  EXPECT_FALSE(calls[0].left);
  EXPECT_EQ(calls[0].site.line, site.line + 1);
  EXPECT_LE(calls[0].since, clock::now());
  EXPECT_EQ(calls[1].name, "b");
  EXPECT_FALSE(calls[1].begun);
  EXPECT_FALSE(wait_for_blocking_calls(tasks, 0ns));
  b.cancel();
  while (!b.done()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(blocking_calls(tasks).size(), 1u) << "one that was withdrawn is gone";
  first.release();
  EXPECT_TRUE(wait_for_blocking_calls(tasks, forever));
  EXPECT_TRUE(blocking_calls(tasks).empty());
  EXPECT_FALSE(second.has_begun());
}

TEST_F(BlockingCall, ThatWasLeftStaysListed) {
  held_call call;
  accounted_executor tasks({.threads = 1});
  const task_handle<> waiting =
      tasks.spawn(holding, std::ref(call), blocking_options{.on_cancel = blocking_cancel::detach});
  call.wait_until_begun();
  waiting.cancel();
  tasks.wait_until_idle();
  const std::vector<blocking_call_info> calls = blocking_calls(tasks);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_TRUE(calls[0].left);
  EXPECT_EQ(calls[0].task, waiting.id());
  call.release();
  EXPECT_TRUE(wait_for_blocking_calls(tasks, forever));
}

TEST_F(BlockingCall, ThatWasLeftIsWaitedForByTheExecutorsEnd) {
  held_call call;
  bool returned = false;
  std::jthread releasing;
  {
    accounted_executor tasks({.threads = 1});
    const task_handle<> waiting = tasks.spawn([&]() -> task<> {
      const blocking_options detached{.on_cancel = blocking_cancel::detach};
      co_await spawn_blocking(detached, [&] {
        call();
        returned = true;
      });
    });
    call.wait_until_begun();
    waiting.cancel();
    tasks.wait_until_idle();
    releasing = std::jthread([&] { call.release(); });
  }
  EXPECT_TRUE(returned);
}

TEST_F(BlockingCall, ThatNobodyAwaitsIsNotMadeAndDropsItsCallable) {
  auto shared = std::make_shared<int>(1);
  bool made = false;
  {
    auto holder = [shared, &made] { made = true; };
    auto call = spawn_blocking(moved(holder));
    EXPECT_EQ(shared.use_count(), 2);
  }
  EXPECT_EQ(shared.use_count(), 1);
  EXPECT_FALSE(made);
}

}  // namespace
}  // namespace coppice::detail
