// Who is stopped and who is started again, by strategy, restart type and the way a child ends.
#include <coppice/supervisor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::be_quiet;
using testing_support::has_child;
using testing_support::info_of;
using testing_support::report_log;
using testing_support::settled;
using testing_support::stage;
using testing_support::supervised;
using testing_support::task_of;
using testing_support::texts;

enum class ending { fails, returns, is_cancelled };

constexpr restart_strategy strategies[] = {
    restart_strategy::one_for_one, restart_strategy::one_for_all, restart_strategy::rest_for_one};
constexpr restart_type types[] = {restart_type::permanent, restart_type::transient,
                                  restart_type::temporary};
constexpr ending endings[] = {ending::fails, ending::returns, ending::is_cancelled};

void end(stage& on, supervisor& of, const std::string& id, ending how) {
  switch (how) {
    case ending::fails:
      on.fail(id);
      break;
    case ending::returns:
      on.finish(id);
      break;
    case ending::is_cancelled:
      task_of(of, id).cancel("by hand");
      break;
  }
}

bool restarted(restart_type type, ending how) {
  return type == restart_type::permanent ||
         (type == restart_type::transient && how == ending::fails);
}

// What happens when b of a, b and c ends.
texts expected(restart_strategy strategy, restart_type type, ending how) {
  if (!restarted(type, how)) {
    return {"-b"};
  }
  switch (strategy) {
    case restart_strategy::one_for_one:
      return {"-b", "+b"};
    case restart_strategy::one_for_all:
      return {"-b", "-c", "-a", "+a", "+b", "+c"};
    case restart_strategy::rest_for_one:
      return {"-b", "-c", "+b", "+c"};
  }
  return {};
}

class RestartStrategy
    : public testing::TestWithParam<std::tuple<unsigned, restart_strategy, restart_type, ending>> {
};

INSTANTIATE_TEST_SUITE_P(All, RestartStrategy,
                         testing::Combine(testing::Values(1u, 2u, 4u),
                                          testing::ValuesIn(strategies), testing::ValuesIn(types),
                                          testing::ValuesIn(endings)));

TEST_P(RestartStrategy, StopsInReverseAndStartsInOrder) {
  const auto [workers, strategy, type, how] = GetParam();
  stage on;
  report_log log;
  test_runtime rt{{.workers = workers}};
  const std::vector<child_spec> specs = {on.child("a"), on.child("b", type), on.child("c")};
  const auto body = [&](supervisor& s) -> task<> {
    s.on_error(log.handler());
    EXPECT_EQ(on.take(), (texts{"+a", "+b", "+c"}));
    end(on, s, "b", how);
    co_await settled();
    EXPECT_EQ(on.take(), expected(strategy, type, how));
    EXPECT_EQ(has_child(s, "b"), type != restart_type::temporary);
    EXPECT_EQ(static_cast<bool>(task_of(s, "b")), restarted(type, how));
    EXPECT_EQ(s.count_children().active, restarted(type, how) ? 3u : 2u);
    EXPECT_EQ(log.size(), how == ending::fails ? 1u : 0u);
  };
  supervised(rt, {.name = "jobs", .strategy = strategy}, specs, body);
}

class Restarts : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, Restarts, testing::Values(1u, 2u, 4u));

TEST_P(Restarts, OfAllDropTemporaryChildren) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const std::vector<child_spec> specs = {on.child("a"), on.child("b", restart_type::temporary),
                                         on.child("c", restart_type::transient)};
  const auto body = [&](supervisor& s) -> task<> {
    on.take();
    on.fail("a");
    co_await settled();
    EXPECT_EQ(on.take(), (texts{"-a", "-c", "-b", "+a", "+c"}));
    EXPECT_FALSE(has_child(s, "b"));
  };
  supervised(rt, {.strategy = restart_strategy::one_for_all}, specs, body);
}

TEST_P(Restarts, OfAllStartAlsoThoseThatHadEndedOrBeenTerminated) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const std::vector<child_spec> specs = {on.child("a"), on.child("b", restart_type::transient),
                                         on.child("c")};
  const auto body = [&](supervisor& s) -> task<> {
    co_await s.terminate_child("a");
    on.finish("b");
    co_await settled();
    on.take();
    on.fail("c");
    co_await settled();
    EXPECT_EQ(on.take(), (texts{"-c", "+a", "+b", "+c"}));
  };
  supervised(rt, {.strategy = restart_strategy::one_for_all}, specs, body);
}

TEST_P(Restarts, OfTheRestLeaveThoseBeforeAlone) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto specs = on.children({"a", "b", "c", "d"});
  const auto body = [&](supervisor&) -> task<> {
    on.take();
    on.fail("d");
    co_await settled();
    EXPECT_EQ(on.take(), (texts{"-d", "+d"}));
    on.fail("a");
    co_await settled();
    EXPECT_EQ(on.take(), (texts{"-a", "-d", "-c", "-b", "+a", "+b", "+c", "+d"}));
  };
  supervised(rt, {.strategy = restart_strategy::rest_for_one}, specs, body);
}

TEST_P(Restarts, CountEachStartAgain) {
  stage on;
  test_runtime rt(workers());
  be_quiet(rt);
  const auto specs = on.children({"a", "b", "c"});
  const auto body = [&](supervisor& s) -> task<> {
    on.fail("b");
    co_await settled();
    on.fail("c");
    co_await settled();
    EXPECT_EQ(info_of(s, "a").restarts, 0u);
    EXPECT_EQ(info_of(s, "b").restarts, 1u);
    EXPECT_EQ(info_of(s, "c").restarts, 2u);
  };
  supervised(rt, {.strategy = restart_strategy::rest_for_one}, specs, body);
}

TEST_P(Restarts, AreToldWithTheirReasonCountAndDelay) {
  stage on;
  std::vector<restart_report> told;  // By the supervisor, one after the other.
  test_runtime rt(workers());
  be_quiet(rt);
  rt.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      s.on_restart([&](const restart_report& report) { told.push_back(report); });
      const child_spec a = on.child("a").backoff({.initial = 3s, .jitter = 0});
      const child_spec b = on.child("b");
      co_await s.start_child(a);
      co_await s.start_child(b);
      on.fail("a");
      co_await settled();
      on.finish("b");
      co_await settled();
      task_of(s, "b").cancel("by hand");
      co_await settled();
      co_await s.shutdown();
    };
    co_await with_supervisor({.name = "jobs"}, body);
  });
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0].supervisor, "jobs");
  EXPECT_EQ(told[0].id, "a");
  EXPECT_EQ(told[0].ended, task_status::failed);
  EXPECT_EQ(told[0].failure.message(), "a broke");
  EXPECT_EQ(told[0].delay, 3s);
  EXPECT_EQ(told[1].id, "b");
  EXPECT_EQ(told[1].ended, task_status::completed);
  EXPECT_EQ(told[1].failure.error(), nullptr);
  EXPECT_EQ(told[1].delay, 0s);
  EXPECT_EQ(told[1].restarts, 1u);
  EXPECT_EQ(told[2].ended, task_status::cancelled);
  EXPECT_EQ(told[2].reason.message(), "by hand");
  EXPECT_EQ(told[2].restarts, 2u);
  EXPECT_EQ(told[2].recent, 3u);
}

TEST_P(Restarts, AHandlerThatThrowsIsReported) {
  stage on;
  report_log log;
  test_runtime rt(workers());
  const auto specs = on.children({"a"});
  const auto body = [&](supervisor& s) -> task<> {
    s.on_error(log.handler());
    s.on_restart([](const restart_report&) { throw std::runtime_error("no log"); });
    on.finish("a");
    co_await settled();
    EXPECT_TRUE(task_of(s, "a"));
  };
  supervised(rt, {}, specs, body);
  EXPECT_THAT(log.messages(), ElementsAre("no log"));
}

TEST_P(Restarts, AFailureOfARestartedChildIsReportedOnceAndAtOnce) {
  stage on;
  report_log log;
  test_runtime rt(workers());
  const auto specs = on.children({"a"});
  const auto body = [&](supervisor& s) -> task<> {
    s.on_error(log.handler());
    on.fail("a");
    co_await settled();
    EXPECT_EQ(log.size(), 1u);
    on.fail("a");
    co_await settled();
    EXPECT_EQ(log.size(), 2u);
  };
  supervised(rt, {.name = "jobs"}, specs, body);
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 2u);
  for (const error_report& each : reports) {
    EXPECT_EQ(each.origin, error_origin::child);
    EXPECT_EQ(each.entry.name(), "a");
    EXPECT_EQ(each.entry.message(), "a broke");
    EXPECT_EQ(each.scope, "jobs");
  }
}

TEST_P(Restarts, WhatSpawnStartsIsNeverRestarted) {
  stage on;
  report_log log;
  test_runtime rt(workers());
  const auto specs = on.children({"a"});
  const auto body = [&](supervisor& s) -> task<> {
    s.on_error(log.handler());
    on.take();
    const task_handle<> spawned = s.spawn({.name = "spawned"}, testing_support::failing("bad"));
    co_await settled();
    EXPECT_EQ(spawned.status(), task_status::failed);
    EXPECT_THAT(on.take(), IsEmpty());
    EXPECT_EQ(s.size(), 1u);
  };
  supervised(rt, {.strategy = restart_strategy::one_for_all}, specs, body);
  EXPECT_THAT(log.messages(), ElementsAre("bad"));
}

}  // namespace
}  // namespace coppice
