#include <coppice/detail/ready_wait.h>
#include <coppice/scope.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include "tests/support/tree_test.h"

namespace coppice::detail {
namespace {

using testing_support::tree_test;

// Ready from the beginning, or when it is looked at for the second time.
class counted_source {
 public:
  using value_type = int;
  static constexpr const char* name = "a count";

  explicit counted_source(int& looks, bool at_once = true) : looks_(looks), at_once_(at_once) {}

  bool ready() noexcept { return ++looks_ > 1 || at_once_; }
  static void arm(const ticket& wait, worker_core&) { static_cast<void>(wait.claim()); }
  static void disarm() noexcept {}
  int result() const noexcept { return looks_; }

 private:
  int& looks_;
  bool at_once_;
};

ready_wait<counted_source> look(int& looks, bool at_once = true) {
  return ready_wait<counted_source>(counted_source(looks, at_once));
}

class ReadyWait : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, ReadyWait, testing::Values(1, 2, 4));

TEST_P(ReadyWait, TakesEffectOnce) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    int looks = 0;
    EXPECT_EQ(co_await look(looks), 1);
    looks = 0;
    EXPECT_EQ(co_await look(looks, false), 2);
  });
}

TEST_P(ReadyWait, HasNoEffectIfTheTaskIsAskedToStop) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    int looks = 0;
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      co_await look(looks);
      scope.cancel();
      co_await look(looks);
      ADD_FAILURE();
    });
    EXPECT_EQ(looks, 1);
  });
}

TEST(ReadyWaitInOrder, GivesWayWhenTheBudgetIsSpent) {
  test_runtime rt({.shuffle = false, .settings = {.yield_budget = 8}});
  rt.block_on([&]() -> task<> {
    bool other_ran = false;
    static_cast<void>(spawn([&]() -> task<> {
      other_ran = true;
      co_return;
    }));
    int looks = 0;
    for (int i = 0; i != 8; ++i) {
      EXPECT_FALSE(other_ran);
      co_await look(looks);
    }
    EXPECT_TRUE(other_ran);
    EXPECT_EQ(looks, 8);
  });
}

}  // namespace
}  // namespace coppice::detail
