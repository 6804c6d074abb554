#include <coppice/future.h>

#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/accounting.h"
#include "tests/support/manual_operation.h"
#include "tests/support/report_log.h"

namespace coppice {
namespace {

using testing_support::accounted_executor;

class Future : public testing_support::accounted_test {};

TEST_F(Future, ATaskAwaitsOneWithoutHoldingItsWorker) {
  std::promise<int> promised;
  accounted_executor tasks({.threads = 1});
  const task_handle<int> waiting = tasks.spawn(from_future(promised.get_future()));
  testing_support::wait_until_suspended(waiting);
  tasks.block_on([] {});
  promised.set_value(4);
  EXPECT_EQ(tasks.block_on([&]() -> task<int> { co_return co_await waiting; }), 4);
}

TEST_F(Future, ATaskGetsWhatItGives) {
  accounted_executor tasks({.threads = 1});
  tasks.block_on([]() -> task<> {
    int here = 0;
    int& there = co_await from_future(std::async([&]() -> int& { return here; }));
    EXPECT_EQ(&there, &here);
    std::unique_ptr<int> only =
        co_await from_future(std::async([] { return std::make_unique<int>(3); }));
    EXPECT_EQ(*only, 3);
    co_await from_future(std::async([&] { here = 5; }));
    EXPECT_EQ(here, 5);
    const std::shared_future<std::string> shared = std::async([] { return std::string("s"); });
    const std::string copied = co_await from_future(shared);
    EXPECT_EQ(copied, shared.get());
  });
}

TEST_F(Future, ATaskThrowsWhatItThrows) {
  accounted_executor tasks({.threads = 1});
  tasks.block_on([]() -> task<> {
    std::string caught;
    try {
      co_await from_future(std::async([] { throw std::runtime_error("elsewhere"); }));
    } catch (const std::runtime_error& failure) {
      caught = failure.what();
    }
    EXPECT_EQ(caught, "elsewhere");
    bool broken = false;
    std::future<int> abandoned = std::promise<int>().get_future();
    try {
      co_await from_future(std::move(abandoned));
    } catch (const std::future_error&) {
      broken = true;
    }
    EXPECT_TRUE(broken);
  });
}

TEST_F(Future, ADeferredOneRunsOnNoWorker) {
  accounted_executor tasks({.threads = 1});
  const bool on_worker = tasks.block_on(from_future(
      std::async(std::launch::deferred, [] { return detail::this_worker() != nullptr; })));
  EXPECT_FALSE(on_worker);
}

TEST_F(Future, WithoutAStateIsAUsageError) {
  accounted_executor tasks({.threads = 1});
  EXPECT_THROW(tasks.block_on(from_future(std::future<int>())), usage_error);
}

TEST_F(Future, ATaskThatIsStoppedDoesNotWaitForIt) {
  std::promise<int> never;
  accounted_executor tasks({.threads = 1});
  const task_handle<int> waiting = tasks.spawn(from_future(never.get_future()));
  testing_support::wait_until_suspended(waiting);
  waiting.cancel();
  tasks.wait_until_idle();
  EXPECT_EQ(waiting.status(), task_status::cancelled);
  EXPECT_TRUE(detail::wait_for_blocking_calls(tasks, forever)) << "nor does its thread, for long";
}

TEST_F(Future, OfATaskGivesItsEndToAPlainThread) {
  testing_support::report_log log;
  accounted_executor tasks({.threads = 1});
  tasks.set_error_handler(log.handler());
  EXPECT_EQ(to_future(tasks.spawn([] { return 5; })).get(), 5);
  to_future(tasks.spawn([] {})).get();
  std::future<int> failed =
      to_future(tasks.spawn([]() -> int { throw std::runtime_error("reported as well"); }));
  EXPECT_THROW(failed.get(), std::runtime_error);
  const task_handle<int> sleeping = tasks.spawn([]() -> task<int> {
    co_await sleep_for(forever);
    co_return 0;
  });
  std::future<int> cancelled = to_future(sleeping);
  sleeping.cancel();
  EXPECT_THROW(cancelled.get(), task_cancelled);
  EXPECT_EQ(log.messages(), std::vector<std::string>{"reported as well"});
}

TEST_F(Future, OfATaskThatHasEndedIsReadySoon) {
  accounted_executor tasks({.threads = 1});
  const task_handle<std::string> ended = tasks.spawn([] { return std::string("done"); });
  tasks.wait_until_idle();
  EXPECT_EQ(to_future(ended).get(), "done");
  EXPECT_EQ(to_future(ended).get(), "done") << "copied";
}

TEST_F(Future, OfATaskMayBeDropped) {
  accounted_executor tasks({.threads = 1});
  static_cast<void>(to_future(tasks.spawn([] { return 5; })));
}

}  // namespace
}  // namespace coppice
