// Scopes and groups nested so deep that anything recursive would overflow a worker's stack.
#include <coppice/group.h>
#include <coppice/scope.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include "tests/support/sanitizers.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::under_address_sanitizer;
using testing_support::under_thread_sanitizer;

constexpr int scopes_in_a_task = 5'000;

// A sanitizer's frames are many times larger, on the stack as in memory.
constexpr int tasks_in_a_line =
    under_address_sanitizer || under_thread_sanitizer ? 20'000 : 100'000;

// The worker's stack is small, so that a recursion ends the program.
class ScopeDepth : public testing_support::tree_test {
 protected:
  static test_options small_stack() {
    return {.workers = GetParam(), .settings = {.stack_size = std::size_t{256} * 1024}};
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, ScopeDepth, testing::Values(1u, 2u, 4u));

// ---- In one task --------------------------------------------------------------------------------

struct descent {
  enum class bottom { returns, throws, sleeps };

  bottom at_the_bottom = bottom::returns;
  int cancelled_depth = -1;  // The scope that is cancelled at the bottom; -1: none.
  scope_handle cancelled;
  std::vector<int> destroyed;
  int absorbed_at = -1;
  int behind = 0;  // Bodies that went on behind the scope they opened.
};

struct depth_mark {
  depth_mark(descent& of, int mine) : whole(of), depth(mine) {}
  depth_mark(const depth_mark&) = delete;
  depth_mark& operator=(const depth_mark&) = delete;
  ~depth_mark() { whole.destroyed.push_back(depth); }
  descent& whole;
  int depth;
};

task<> descend(descent& whole, int depth) {
  const depth_mark frame(whole, depth);
  if (depth == scopes_in_a_task) {
    if (whole.at_the_bottom == descent::bottom::throws) {
      throw std::runtime_error("bottom");
    }
    whole.cancelled.cancel("deep");
    if (whole.at_the_bottom == descent::bottom::sleeps) {
      co_await sleep_for(forever);
    }
    co_return;
  }
  const scope_result<void> result = co_await with_scope([&](cancel_scope& scope) -> task<> {
    if (depth == whole.cancelled_depth) {
      whole.cancelled = scope.handle();
    }
    co_await descend(whole, depth + 1);
  });
  ++whole.behind;
  if (result.cancelled_caught) {
    whole.absorbed_at = depth;
  }
}

std::vector<int> innermost_first() {
  std::vector<int> order;
  for (int depth = scopes_in_a_task; depth >= 0; --depth) {
    order.push_back(depth);
  }
  return order;
}

TEST_P(ScopeDepth, ScopesOpenAndCloseInOneTask) {
  descent whole;
  test_runtime rt(small_stack());
  rt.block_on([&]() -> task<> { co_await descend(whole, 0); });
  EXPECT_EQ(whole.behind, scopes_in_a_task);
  EXPECT_EQ(whole.absorbed_at, -1);
}

TEST_P(ScopeDepth, AFailurePassesThroughScopesOfOneTask) {
  descent whole;
  whole.at_the_bottom = descent::bottom::throws;
  test_runtime rt(small_stack());
  EXPECT_THROW(rt.block_on([&]() -> task<> { co_await descend(whole, 0); }), std::runtime_error);
  EXPECT_EQ(whole.behind, 0);
  EXPECT_TRUE(whole.destroyed == innermost_first());
}

TEST_P(ScopeDepth, A4ACancelOfTheOutermostDestroysAllFramesInnermostFirst) {
  descent whole;
  whole.at_the_bottom = descent::bottom::sleeps;
  whole.cancelled_depth = 0;
  test_runtime rt(small_stack());
  rt.block_on([&]() -> task<> { co_await descend(whole, 0); });
  EXPECT_EQ(whole.absorbed_at, 0);
  EXPECT_EQ(whole.behind, 1);
  EXPECT_TRUE(whole.destroyed == innermost_first());
}

TEST_P(ScopeDepth, A5ACancelInTheMiddleIsAbsorbedThere) {
  descent whole;
  whole.at_the_bottom = descent::bottom::sleeps;
  whole.cancelled_depth = scopes_in_a_task / 2;
  test_runtime rt(small_stack());
  rt.block_on([&]() -> task<> {
    co_await descend(whole, 0);
    co_await checkpoint();
  });
  EXPECT_EQ(whole.absorbed_at, scopes_in_a_task / 2);
  EXPECT_EQ(whole.behind, scopes_in_a_task / 2 + 1);
  EXPECT_TRUE(whole.destroyed == innermost_first());
}

TEST_P(ScopeDepth, ACancelFromAPlainThreadReachesTheBottom) {
  descent whole;
  whole.at_the_bottom = descent::bottom::sleeps;
  scope_handle outermost;
  test_runtime rt(small_stack());
  const task_handle<> main = rt.spawn([&]() -> task<> {
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      outermost = scope.handle();
      co_await descend(whole, 0);
    });
  });
  rt.run_until_blocked();
  EXPECT_TRUE(whole.destroyed.empty());
  outermost.cancel();
  rt.run_until_blocked();
  EXPECT_EQ(main.status(), task_status::completed);
  EXPECT_TRUE(whole.destroyed == innermost_first());
}

// ---- A task below a task ------------------------------------------------------------------------

enum class last_task { returns, throws, sleeps };

// Each hosts a group with one child.
task<> line(int below, last_task end, std::atomic<int>& begun, std::atomic<int>& destroyed) {
  struct counting {
    std::atomic<int>& into;
    ~counting() { ++into; }
  };
  const counting frame{destroyed};
  ++begun;
  if (below == 0) {
    if (end == last_task::throws) {
      throw std::runtime_error("the last one");
    }
    if (end == last_task::sleeps) {
      co_await sleep_for(forever);
    }
    co_return;
  }
  co_await with_group([&](task_group& group) -> task<> {
    group.spawn(line(below - 1, end, begun, destroyed));
    co_return;
  });
}

TEST_P(ScopeDepth, AGroupBelowAGroupEndsFromTheInnermostOutwards) {
  std::atomic<int> begun{0};
  std::atomic<int> destroyed{0};
  test_runtime rt(small_stack());
  rt.block_on(line(tasks_in_a_line, last_task::returns, begun, destroyed));
  EXPECT_EQ(begun, tasks_in_a_line + 1);
  EXPECT_EQ(destroyed, tasks_in_a_line + 1);
}

TEST_P(ScopeDepth, A2ACancelOfTheFirstTaskStopsTheLast) {
  std::atomic<int> begun{0};
  std::atomic<int> destroyed{0};
  test_runtime rt(small_stack());
  const task_handle<> first = rt.spawn(line(tasks_in_a_line, last_task::sleeps, begun, destroyed));
  rt.run_until_blocked();
  EXPECT_EQ(begun, tasks_in_a_line + 1);
  EXPECT_EQ(destroyed, 0);
  first.cancel("all of them");
  rt.run_until_blocked();
  EXPECT_EQ(destroyed, tasks_in_a_line + 1);
  EXPECT_TRUE(first.done());
  EXPECT_EQ(rt.live_frames(), 0u);
}

TEST_P(ScopeDepth, A8AFailureOfTheLastTaskLeavesAGroupOfGroups) {
  std::atomic<int> begun{0};
  std::atomic<int> destroyed{0};
  test_runtime rt(small_stack());
  const task_handle<> first = rt.spawn([&]() -> task<> {
    const outcome<> end =
        co_await as_result(line(tasks_in_a_line, last_task::throws, begun, destroyed));
    const exception_group* group = end.entry().get_if<exception_group>();
    int depth = 0;
    std::size_t widest = 0;
    for (; group != nullptr; group = group->exceptions()[0].get_if<exception_group>()) {
      widest = std::max(widest, group->exceptions().size());
      ++depth;
    }
    EXPECT_EQ(depth, tasks_in_a_line) << "nested, never flattened";
    EXPECT_EQ(widest, 1u);
  });
  rt.run_until_blocked();
  EXPECT_EQ(first.status(), task_status::completed);
  EXPECT_EQ(destroyed, tasks_in_a_line + 1);
}

}  // namespace
}  // namespace coppice
