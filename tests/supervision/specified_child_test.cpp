// What a child of a spec is to others: a task of its supervisor, whose handle may outlive that.
#include "supervision/specified_child.h"

#include <coppice/dump.h>
#include <coppice/supervisor.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::settled;
using testing_support::stage;
using testing_support::task_of;

TEST(ChildEnd, TellsWhyByAnException) {
  EXPECT_EQ(detail::child_end().cause(), nullptr);
  const detail::child_end cancelled{task_status::cancelled, {}, cancel_reason("enough")};
  EXPECT_THROW(std::rethrow_exception(cancelled.cause()), task_cancelled);
}

class SpecifiedChild : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, SpecifiedChild, testing::Values(1u, 2u, 4u));

TEST_P(SpecifiedChild, IsATaskOfItsSupervisor) {
  stage on;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto seen = [&]() -> task<> {
      EXPECT_EQ(this_task::name(), "a");
      EXPECT_EQ(this_task::scopes(), (std::vector<std::string_view>{"jobs"}));
      EXPECT_EQ(current_scope().name(), "jobs");
      EXPECT_FALSE(current_deadline());
      current_scope().spawn({.name = "sibling"}, testing_support::sleeper(1s));
      co_await sleep_for(1s);
    };
    const std::vector<child_spec> specs = {child_spec("a", seen).restart(restart_type::temporary)};
    const auto body = [&](supervisor& s) -> task<> {
      co_await settled();
      EXPECT_EQ(s.size(), 2u);
      for (const task_info& each : all_tasks()) {
        if (each.name == "a") {
          EXPECT_EQ(each.scope, "jobs");
          EXPECT_EQ(each.parent, this_task::id());
          EXPECT_EQ(each.restarts, 0u);
        }
      }
    };
    co_await with_supervisor({.name = "jobs"}, specs, body);
  });
}

TEST_P(SpecifiedChild, MayOutliveItsSupervisorAndTheRuntimeByItsHandle) {
  stage on;
  task_ref kept;
  auto owned = std::make_shared<int>(1);
  {
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      const auto run = [owned]() -> task<> { co_await sleep_for(1h); };
      const std::vector<child_spec> specs = {child_spec("a", run)};
      const auto body = [&](supervisor& s) -> task<> {
        kept = task_of(s, "a");
        co_await s.shutdown();
      };
      co_await with_supervisor({}, specs, body);
    });
  }
  EXPECT_EQ(kept.name(), "a");
  EXPECT_EQ(kept.status(), task_status::cancelled);
  kept = {};
  EXPECT_EQ(owned.use_count(), 1) << "and the spec goes with the last handle";
}

TEST_P(SpecifiedChild, WhatItsSpecKeepsGoesWhenItIsDeleted) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      auto owned = std::make_shared<int>(1);
      {
        const auto run = [owned]() -> task<> { co_await sleep_for(1h); };
        const child_spec a("a", run);
        static_cast<void>(co_await s.start_child(a));
      }
      EXPECT_GT(owned.use_count(), 1);
      co_await s.terminate_child("a");
      EXPECT_GT(owned.use_count(), 1);
      co_await s.delete_child("a");
      co_await settled();
      EXPECT_EQ(owned.use_count(), 1);
    };
    co_await with_supervisor(body);
  });
}

}  // namespace
}  // namespace coppice
