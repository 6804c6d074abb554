#include <coppice/detail/gate.h>
#include <coppice/detail/wait.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include "tests/support/tree_test.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class pass_source : public gate::passer {
 public:
  using passer::passer;
  static constexpr const char* name = "a gate";
};

wait_operation<pass_source> pass(gate& through) {
  return wait_operation<pass_source>(pass_source(through));
}

class Gate : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, Gate, testing::Values(1, 2, 4));

TEST(GateByItself, IsOpenUntilItIsClosed) {
  gate made_open("a gate", true);
  EXPECT_TRUE(made_open.is_open());
  made_open.close();
  made_open.close();
  EXPECT_FALSE(made_open.is_open());
  made_open.open();
  made_open.open();
  EXPECT_TRUE(made_open.is_open());
  EXPECT_FALSE(gate("a gate", false).is_open());
}

TEST_P(Gate, ClosingItDoesNotKeepThoseWhoHaveBeenLetThrough) {
  gate through("a gate", false);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn([&]() -> task<> { co_await pass(through); });
    co_await wait_all_tasks_blocked();
    through.close();
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(waiting.done()) << "closing what is closed";
    through.open();
    through.close();
    co_await waiting;
    EXPECT_FALSE(through.is_open());
  });
}

// All who waited have gone, by themselves or let through: the next to wait begins a new line.
TEST_P(Gate, IsAwaitedAnewAfterAllHaveLeft) {
  gate through("a gate", false);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    for (int i = 0; i != 3; ++i) {
      const bool passed = co_await move_on_after(1s, pass(through));
      EXPECT_FALSE(passed);
      const task_handle<> waiting = spawn([&]() -> task<> { co_await pass(through); });
      co_await wait_all_tasks_blocked();
      through.open();
      co_await waiting;
      through.close();
    }
    through.open();
    co_await pass(through);
  });
}

}  // namespace
}  // namespace coppice::detail
