#include "supervision/runtime_state.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "tests/support/accounting.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

class RuntimeState : public testing_support::accounted_test {};

task<> sleeper() {
  co_await sleep_for(forever);
}

TEST_F(RuntimeState, ShutsTasksDownWhenTheLastMainEnds) {
  runtime_state state({.threads = 1}, nullptr);
  const task_handle<> left = state.beneath.spawn(sleeper());
  state.begin_main();
  state.begin_main();
  state.end_main();
  EXPECT_FALSE(left.done());
  state.end_main();
  EXPECT_EQ(left.status(), task_status::cancelled);
  EXPECT_EQ(state.beneath.live_task_count(), 0u);
  state.begin_main();
  state.end_main();
}

TEST_F(RuntimeState, LetsNoMainBeginWhileTheLastIsShuttingDown) {
  runtime_state state({.threads = 1}, nullptr);
  std::latch running(1);
  std::latch released(1);
  std::atomic<bool> over{false};
  const task_handle<> slow = state.beneath.spawn([&] {
    running.count_down();
    released.wait();
    over = true;
  });
  running.wait();
  state.begin_main();
  std::jthread ending([&] { state.end_main(); });
  while (!slow.token().stop_requested()) {
    std::this_thread::yield();
  }
  std::jthread beginning([&] {
    state.begin_main();
    EXPECT_TRUE(over) << "the leftovers of the former are gone";
    state.end_main();
  });
  released.count_down();
}

TEST_F(RuntimeState, ARequestClosesAndCancels) {
  runtime_state state({.threads = 1}, nullptr);
  const task_handle<> left = state.beneath.spawn(sleeper());
  state.request_shutdown();
  state.beneath.wait_until_idle();
  EXPECT_EQ(left.result().reason().kind(), cancel_kind::shutdown);
  EXPECT_THROW(state.beneath.spawn(sleeper()), scope_closed);
  EXPECT_TRUE(state.shutdown({}));
}

}  // namespace
}  // namespace coppice::detail
