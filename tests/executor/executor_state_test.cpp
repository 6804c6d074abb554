#include "executor/executor_state.h"

#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "tests/support/accounting.h"
#include "tests/support/report_log.h"

namespace coppice::detail {
namespace {

using testing_support::accounted_executor;
using testing_support::report_log;

class ExecutorState : public testing_support::accounted_test {};

TEST_F(ExecutorState, KnowsItsFaceAndItsProcess) {
  const accounted_executor tasks({.threads = 1});
  executor_state& state = tasks.state();
  EXPECT_EQ(&state.face, &tasks);
  EXPECT_FALSE(state.forked());
  EXPECT_NO_THROW(state.require_same_process("spawn"));
  EXPECT_EQ(state.core->workers.size(), 1u);
}

TEST_F(ExecutorState, KeepsSpawnedTasksAndMainsApart) {
  report_log log;
  accounted_executor tasks({.threads = 1, .max_tasks = 1});
  tasks.set_error_handler(log.handler());
  const std::string kind = tasks.state().spawned.kind();
  EXPECT_EQ(kind, "the runtime");
  const auto fails = []() -> task<> { throw std::runtime_error("of main"); };
  EXPECT_THROW(tasks.block_on(fails), std::runtime_error);
  EXPECT_EQ(log.size(), 0u) << "what main throws is its caller's";
  tasks.block_on([]() -> task<> {
    EXPECT_THROW(spawn([] {}), resource_exhausted) << "main is one of the live tasks";
    co_return;
  });
  const task_handle<> sleeping = tasks.spawn([]() -> task<> { co_await sleep_for(forever); });
  tasks.block_on([] {});
  EXPECT_FALSE(sleeping.done()) << "block_on is not refused for want of room";
}

TEST_F(ExecutorState, ReportsToTheHandlerOfTheMoment) {
  report_log first;
  report_log second;
  accounted_executor tasks({.threads = 1});
  executor_state& state = tasks.state();
  const auto report = [&](const char* text) {
    state.report({error_origin::cleanup,
                  error_entry(std::make_exception_ptr(std::runtime_error(text))),
                  {},
                  {}});
  };
  tasks.set_error_handler(first.handler());
  report("one");
  tasks.set_error_handler(second.handler());
  report("two");
  EXPECT_EQ(first.messages(), std::vector<std::string>{"one"});
  EXPECT_EQ(second.messages(), std::vector<std::string>{"two"});
}

TEST_F(ExecutorState, SilentDropsWhatNobodyTook) {
  testing::internal::CaptureStderr();
  {
    accounted_executor tasks({.threads = 1, .unhandled = on_unhandled::silent});
    tasks.spawn([] { throw 1; });
    tasks.wait_until_idle();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace coppice::detail
