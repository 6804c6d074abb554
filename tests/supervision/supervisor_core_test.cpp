#include <coppice/detail/supervisor_core.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

namespace coppice {
namespace {

using namespace std::chrono_literals;

detail::supervisor_core& core_of(const supervisor& of) {
  return static_cast<detail::supervisor_core&>(*detail::scope_access::core(of).get());
}

TEST(SupervisorCore, TellsAWaiterThatComesTooLateAtOnce) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    manual_supervisor jobs;
    jobs.open();
    co_await jobs.close();
    detail::shutdown_waiter late;
    core_of(jobs).add_waiter(late);
    EXPECT_TRUE(late.told.is_set());
  });
}

TEST(SupervisorCore, TheFirstCallDecidesHowItEnds) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    manual_supervisor jobs;
    jobs.open();
    const task_handle<> job = jobs.spawn([]() -> task<> { co_await sleep_for(1h); });
    co_await wait_all_tasks_blocked();
    detail::worker_core& here = *detail::this_worker();
    core_of(jobs).begin_shutdown({.drain = 5s}, cancel_reason("first"), here);
    core_of(jobs).begin_shutdown({.drain = 0s}, cancel_reason("second"), here);
    co_await jobs.shutdown();
    EXPECT_EQ(test_clock().elapsed(), 5s);
    EXPECT_EQ(job.result().reason().message(), "first");
  });
}

// The report names tasks, which hold the supervisor.
TEST(SupervisorCore, OneThatComesTooLateIsNotToldWhoWasStuck) {
  test_runtime rt{{.settings = {.cancel_watchdog = forever}}};
  rt.block_on([]() -> task<> {
    manual_supervisor jobs;
    jobs.open();
    jobs.spawn([]() -> task<> { co_await shield(sleep_for(1h)); });
    jobs.spawn([]() -> task<> { co_await sleep_for(1h); });
    co_await wait_all_tasks_blocked();
    const shutdown_report report = co_await jobs.shutdown(1s);
    EXPECT_EQ(report.stuck.size(), 1u);
    EXPECT_EQ(report.cancelled, 1u);
    const shutdown_report later = co_await jobs.shutdown();
    EXPECT_TRUE(later.stuck.empty());
    EXPECT_EQ(later.cancelled, report.cancelled);
  });
}

TEST(SupervisorCore, CountsOnlyWhatEndsWhileItIsShutDown) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    manual_supervisor jobs;
    jobs.open();
    jobs.spawn([] {});
    co_await wait_all_tasks_blocked();
    jobs.spawn([]() -> task<> { co_await sleep_for(1s); });
    jobs.spawn([]() -> task<> { co_await sleep_for(1h); });
    const shutdown_report report = co_await jobs.shutdown({.drain = 2s});
    EXPECT_EQ(report.finished, 1u);
    EXPECT_EQ(report.cancelled, 1u);
    EXPECT_TRUE(report);
  });
}

}  // namespace
}  // namespace coppice
