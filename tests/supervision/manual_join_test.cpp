#include "supervision/manual_join.h"

#include <coppice/error.h>
#include <coppice/group.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

namespace coppice {
namespace {

using namespace std::chrono_literals;

TEST(ManualJoin, KeepsTheScopeOpenThatItWasOpenedIn) {
  test_runtime rt;
  manual_group group;
  rt.block_on([&]() -> task<> {
    const task_handle<> closing = spawn([&]() -> task<> {
      co_await sleep_for(2s);
      co_await group.close();
    });
    co_await with_scope([&]() -> task<> {
      group.open();
      co_return;
    });
    EXPECT_EQ(test_clock().elapsed(), 2s);
    co_await closing;
  });
}

TEST(ManualJoin, NeedsATaskToBeOpenedIn) {
  manual_group group;
  EXPECT_THROW(group.open(), usage_error);
  EXPECT_FALSE(group.is_open());
}

// Its host waits for something else meanwhile: both are found.
TEST(ManualJoin, ACancelOfTheScopeAroundReachesTheChildrenBesideItsHost) {
  test_runtime rt;
  manual_group group;
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const task_handle<> closing = spawn([&]() -> task<> {
      co_await sleep_for(2s);
      co_await group.close();
    });
    const auto result = co_await with_scope({.timeout = 1s}, [&]() -> task<> {
      group.open();
      child = group.spawn([]() -> task<> { co_await sleep_for(1h); });
      co_await sleep_for(1h);
    });
    EXPECT_TRUE(result.expired);
    EXPECT_EQ(child.status(), task_status::cancelled);
    co_await closing;
  });
}

}  // namespace
}  // namespace coppice
