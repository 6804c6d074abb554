// Calls that block, as dumps and reports show them.
#include <coppice/blocking.h>
#include <coppice/gather.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>

#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <sstream>
#include <string>
#include <thread>

#include "tests/support/captured_stderr.h"
#include "tests/support/held_call.h"
#include "tests/support/json.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::captured_stderr;
using testing_support::held_call;
using testing_support::is_json;

class SpawnBlockingDump : public testing_support::tree_test {
 protected:
  static test_options with_threads(unsigned threads) {
    return {.workers = GetParam(), .settings = {.blocking_threads = threads}};
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, SpawnBlockingDump, testing::Values(1u, 2u, 4u));

std::string dump_of(const runtime& rt, dump_format format = dump_format::text) {
  std::ostringstream out;
  rt.dump_tasks(out, format);
  return out.str();
}

TEST_P(SpawnBlockingDump, DumpsNameTheCallAndSayWhetherItHasBegun) {
  held_call call;
  test_runtime rt(with_threads(1));
  const auto load = [&]() -> task<> { co_await spawn_blocking({.name = "load"}, std::ref(call)); };
  const task_handle<> holding = rt.spawn({.name = "holding"}, load);
  rt.run_until_blocked();
  call.wait_until_begun();
  const task_handle<> queued = rt.spawn(
      {.name = "queued"}, [&]() -> task<> { co_await spawn_blocking({.name = "store"}, [] {}); });
  rt.run_until_blocked();
  for (const task_info& each : rt.all_tasks()) {
    EXPECT_EQ(each.status, task_status::suspended);
    EXPECT_EQ(each.waiting_for,
              each.name == "holding" ? "spawn_blocking load" : "spawn_blocking store (not begun)");
  }
  holding.cancel();
  rt.run_until_blocked();
  const std::string text = dump_of(rt);
  EXPECT_NE(text.find("suspended on spawn_blocking load for"), std::string::npos) << text;
  EXPECT_NE(text.find("asked to stop"), std::string::npos) << text;
  call.release();
  rt.shutdown();
}

TEST_P(SpawnBlockingDump, DumpsNameSeveralCallsOfOneTask) {
  std::latch begun(2);
  std::latch release(1);
  test_runtime rt(workers());
  const task_handle<> waiting = rt.spawn([&]() -> task<> {
    const auto call = [&] {
      begun.count_down();
      release.wait();
    };
    co_await gather(spawn_blocking({.name = "a"}, call), spawn_blocking({.name = "b"}, call));
  });
  rt.run_until_blocked();
  begun.wait();
  const std::string text = dump_of(rt);
  EXPECT_NE(text.find("spawn_blocking a"), std::string::npos) << text;
  EXPECT_NE(text.find("spawn_blocking b"), std::string::npos) << text;
  release.count_down();
  rt.shutdown();
}

TEST_P(SpawnBlockingDump, DumpsListCallsThatWereLeft) {
  held_call call;
  test_runtime rt(workers());
  const task_handle<> waiting = rt.spawn([&]() -> task<> {
    co_await spawn_blocking({.name = "resolve", .on_cancel = blocking_cancel::detach},
                            std::ref(call));
  });
  rt.run_until_blocked();
  call.wait_until_begun();
  waiting.cancel();
  rt.run_until_blocked();
  const std::string text = dump_of(rt);
  EXPECT_NE(text.find("blocking call \"resolve\" running for"), std::string::npos) << text;
  EXPECT_NE(text.find("spawn_blocking_dump_test.cpp:"), std::string::npos) << text;
  const std::string json = dump_of(rt, dump_format::json);
  EXPECT_TRUE(is_json(json)) << json;
  EXPECT_NE(json.find("\"name\":\"resolve\""), std::string::npos) << json;
  EXPECT_TRUE(rt.all_tasks().empty()) << "it is no task";
  call.release();
  rt.shutdown();
  EXPECT_EQ(dump_of(rt), "no live task\n");
}

TEST_P(SpawnBlockingDump, AShutdownNamesTheTaskThatWaitsForACall) {
  const captured_stderr printed;
  held_call call;
  test_runtime rt(workers());
  const task_handle<> waiting = rt.spawn({.name = "reader"}, [&]() -> task<> {
    co_await spawn_blocking({.name = "load"}, std::ref(call));
  });
  rt.run_until_blocked();
  call.wait_until_begun();
  const shutdown_report report = rt.shutdown({.grace = 1s, .stuck = on_stuck::leave_to_root});
  ASSERT_EQ(report.stuck.size(), 1u);
  EXPECT_EQ(report.stuck[0].name, "reader");
  EXPECT_EQ(report.stuck[0].waiting_for, "spawn_blocking load");
  call.release();
}

TEST_P(SpawnBlockingDump, AShutdownNamesACallThatWasLeftAndWaitsForIt) {
  const captured_stderr printed;
  held_call call;
  std::jthread releasing;
  shutdown_report report;
  test_runtime rt(workers());
  const task_handle<> waiting = rt.spawn([&]() -> task<> {
    co_await spawn_blocking({.name = "resolve", .on_cancel = blocking_cancel::detach},
                            std::ref(call));
  });
  rt.run_until_blocked();
  call.wait_until_begun();
  releasing = std::jthread([&] {
    printed.wait_for("\"resolve\" running");
    call.release();
  });
  report = rt.shutdown({.grace = 1s});
  EXPECT_EQ(report.cancelled, 1u);
  ASSERT_EQ(report.stuck.size(), 1u);
  EXPECT_EQ(report.stuck[0].name, "resolve");
  EXPECT_EQ(report.stuck[0].waiting_for, "running");
  EXPECT_FALSE(report.stuck[0].task);
}

TEST_P(SpawnBlockingDump, ASupervisorNamesTheChildThatWaitsForACall) {
  const captured_stderr printed;
  held_call call;
  std::jthread releasing;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "jobs"}, [&](supervisor& jobs) -> task<> {
      jobs.spawn({.name = "reader"},
                 [&]() -> task<> { co_await spawn_blocking({.name = "load"}, std::ref(call)); });
      co_await spawn_blocking([&] { call.wait_until_begun(); });
      releasing = std::jthread([&] {
        printed.wait_for("\"reader\" suspended on spawn_blocking load");
        call.release();
      });
      co_await jobs.shutdown(1s);
    });
  });
}

}  // namespace
}  // namespace coppice
