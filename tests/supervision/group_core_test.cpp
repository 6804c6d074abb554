#include <coppice/detail/group_core.h>
#include <coppice/error.h>
#include <coppice/group.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>

namespace coppice {
namespace {

using namespace std::chrono_literals;

TEST(GroupCore, AKeeperThatTakesNothingSaysClosed) {
  detail::task_keeper& closed = detail::closed_keeper();
  EXPECT_EQ(closed.enter(), detail::admission::closed);
  manual_group group;
  EXPECT_THROW(group.spawn([] {}), scope_closed);
  EXPECT_FALSE(group.try_spawn([] {}).has_value());
}

TEST(GroupCore, ARefusedTaskIsNotCountedAnywhere) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    const group_options one{.max_children = 1};
    co_await with_group(one, [](task_group& g) -> task<> {
      const task_handle<> first = g.spawn([]() -> task<> { co_await sleep_for(1s); });
      EXPECT_THROW(g.spawn([] {}), resource_exhausted);
      EXPECT_EQ(g.size(), 1u);
      co_await first;
      co_await wait_all_tasks_blocked();
      EXPECT_EQ(g.size(), 0u);
      g.spawn([] {});
    });
  });
}

// SC5: the last one to fail tells nobody, and yet who comes later finds the group cancelled.
TEST(GroupCore, WhoEntersBehindTheLastFailureIsCancelled) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    std::optional<task_handle<>> late;
    manual_group group;
    group.open();
    const task_handle<> failing = group.spawn([]() -> task<> {
      throw std::runtime_error("last");
      co_return;
    });
    co_await wait_all_tasks_blocked();
    late = group.spawn([] {});
    EXPECT_EQ(late->status(), task_status::cancelled);
    EXPECT_EQ(late->result().reason().kind(), cancel_kind::sibling_failed);
    EXPECT_THROW(co_await group.close(), exception_group);
  });
}

}  // namespace
}  // namespace coppice
