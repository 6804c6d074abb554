// A scope's own error handler: which reports it gets, which of several is nearest, what it may do.
#include <coppice/group.h>
#include <coppice/scope.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::report_log;
using testing_support::sleeper;
using testing_support::texts;

class ScopeOnError : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, ScopeOnError, testing::Values(1u, 2u, 4u));

// A child whose callback throws is what a plain group has to report.
void spawn_reporting(task_group& group, const char* what) {
  group.spawn({.name = "noisy"}, sleeper(1s)).on_done([what] { throw std::runtime_error(what); });
}

TEST_P(ScopeOnError, IsToldBeforeTheRuntimesHandler) {
  report_log outside;
  report_log inside;
  test_runtime rt(workers());
  rt.set_error_handler(outside.handler());
  rt.block_on([&]() -> task<> {
    co_await with_group({.name = "jobs"}, [&](task_group& group) -> task<> {
      group.on_error(inside.handler());
      spawn_reporting(group, "callback");
      co_return;
    });
  });
  EXPECT_EQ(outside.messages(), texts{});
  const std::vector<error_report> told = inside.take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].entry.message(), "callback");
  EXPECT_EQ(told[0].origin, error_origin::handler);
  EXPECT_EQ(told[0].scope, "jobs");
}

TEST_P(ScopeOnError, TheNearestWins) {
  report_log far;
  report_log near;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_scope([&](cancel_scope& above) -> task<> {
      above.on_error(far.handler());
      co_await with_group([&](task_group& group) -> task<> {
        spawn_reporting(group, "to the far one");
        co_return;
      });
      co_await with_group([&](task_group& group) -> task<> {
        group.on_error(near.handler());
        spawn_reporting(group, "to the near one");
        co_return;
      });
    });
  });
  EXPECT_EQ(far.messages(), texts{"to the far one"});
  EXPECT_EQ(near.messages(), texts{"to the near one"});
}

TEST_P(ScopeOnError, GivesThePreviousHandlerBack) {
  report_log first;
  report_log second;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      const error_handler none = group.on_error(first.handler());
      EXPECT_FALSE(static_cast<bool>(none));
      error_handler previous = group.on_error(second.handler());
      EXPECT_TRUE(static_cast<bool>(previous));
      group.on_error(std::move(previous));
      spawn_reporting(group, "to the first again");
      co_return;
    });
  });
  EXPECT_EQ(first.messages(), texts{"to the first again"});
  EXPECT_EQ(second.messages(), texts{});
}

TEST_P(ScopeOnError, WhatAHandlerThrowsGoesToTheNextOutwards) {
  report_log outside;
  test_runtime rt(workers());
  rt.set_error_handler(outside.handler());
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& group) -> task<> {
      group.on_error([](const error_report&) { throw std::logic_error("the handler's own"); });
      spawn_reporting(group, "callback");
      co_return;
    });
  });
  const texts told = outside.messages();
  EXPECT_NE(std::find(told.begin(), told.end(), "the handler's own"), told.end());
}

TEST_P(ScopeOnError, MayCancelTheScopeThatItSpeaksFor) {
  test_runtime rt(workers());
  rt.block_on([]() -> task<> {
    task_handle<> other;
    co_await with_group([&](task_group& group) -> task<> {
      const scope_handle own = group.handle();
      group.on_error([own](const error_report&) { own.cancel("by a handler"); });
      other = group.spawn(sleeper(forever));
      spawn_reporting(group, "callback");
      co_await sleep_for(forever);
    });
    EXPECT_EQ(other.result().reason().message(), "by a handler");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

}  // namespace
}  // namespace coppice
