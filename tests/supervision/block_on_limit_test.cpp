// block_on with options: a name, and a time limit.
#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "tests/support/captured_stderr.h"
#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::number;
using testing_support::number_after;
using testing_support::sleeper;

class BlockOnLimit : public testing_support::tree_test {};
INSTANTIATE_TEST_SUITE_P(Workers, BlockOnLimit, testing::Values(1u, 2u, 4u));

TEST_P(BlockOnLimit, WithinItGivesTheValue) {
  test_runtime rt(workers());
  EXPECT_EQ(rt.block_on({.timeout = 2s}, number_after(1s, 3)), 3);
  EXPECT_EQ(rt.block_on({.timeout = 2s}, number_after, 1s, 4), 4);
  EXPECT_EQ(rt.block_on({.timeout = 2s}, [] { return 5; }), 5);
  EXPECT_EQ(rt.clock().elapsed(), 2s);
}

TEST_P(BlockOnLimit, BehindItThrowsWhenTheTaskHasEnded) {
  bool cleaned_up = false;
  test_runtime rt(workers());
  const auto slow = [&]() -> task<> {
    const outcome<> end = co_await as_result(sleep_for(1h));
    EXPECT_TRUE(end.cancelled());
    EXPECT_EQ(end.reason().kind(), cancel_kind::deadline);
    co_await shield(sleep_for(1s));
    cleaned_up = true;
    co_await stop();
  };
  EXPECT_THROW(rt.block_on({.timeout = 2s}, slow), timeout_error);
  EXPECT_TRUE(cleaned_up);
  EXPECT_EQ(rt.clock().elapsed(), 3s);
}

TEST_P(BlockOnLimit, ShutsDownWhatTheTaskHasSpawned) {
  task_handle<> left;
  test_runtime rt(workers());
  const auto main = [&]() -> task<> {
    left = spawn(sleeper(forever));
    co_await sleep_for(forever);
  };
  EXPECT_THROW(rt.block_on({.timeout = 1s}, main), timeout_error);
  EXPECT_EQ(left.status(), task_status::cancelled);
  EXPECT_EQ(rt.block_on(number(1)), 1) << "the runtime can be used again";
}

TEST_P(BlockOnLimit, AFailureBeforeItIsTheTasks) {
  test_runtime rt(workers());
  EXPECT_THROW(rt.block_on({.timeout = 2s}, testing_support::failing_after(1s, "no")),
               std::runtime_error);
  EXPECT_THROW(rt.block_on({.timeout = 2s}, task<int>()), usage_error);
}

TEST_P(BlockOnLimit, TheNameIsTheTasks) {
  test_runtime rt(workers());
  const auto name = []() -> task<std::string> { co_return std::string(this_task::name()); };
  EXPECT_EQ(rt.block_on({.name = "import"}, name), "import");
  EXPECT_EQ(rt.block_on(name), "main");
  EXPECT_EQ(rt.block_on({.timeout = 1s}, name), "main");
}

TEST_P(BlockOnLimit, OnAWorkerIsAUsageError) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_THROW(rt.block_on({.timeout = 1s}, number(1)), usage_error);
    co_return;
  });
}

}  // namespace
}  // namespace coppice
