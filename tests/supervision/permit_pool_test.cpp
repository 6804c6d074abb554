#include <coppice/detail/permit_pool.h>
#include <coppice/detail/wait.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <cstddef>

#include "tests/support/tree_test.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class take_source : public permit_pool::taker {
 public:
  using value_type = std::size_t;
  using taker::taker;
  static constexpr const char* name = "permits";

  std::size_t result() const noexcept { return count(); }
};

wait_operation<take_source> take(permit_pool& from, std::size_t n) {
  return wait_operation<take_source>(take_source(from, n));
}

class PermitPool : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, PermitPool, testing::Values(1, 2, 4));

TEST(PermitPoolByItself, GivesWhatIsThereAndNoMore) {
  permit_pool pool("permits", 3);
  EXPECT_TRUE(pool.try_take(2));
  EXPECT_FALSE(pool.try_take(2));
  EXPECT_FALSE(pool.try_take(permit_pool::most + 1));
  pool.give(1);
  EXPECT_TRUE(pool.try_take(2));
  EXPECT_EQ(pool.available(), 0u);
  pool.give(permit_pool::most);
  EXPECT_EQ(pool.available(), permit_pool::most);
}

TEST_P(PermitPool, NobodyOvertakesWhileSomebodyWaits) {
  permit_pool pool("permits", 1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> waiting = spawn([&]() -> task<> {
      std::size_t taken = co_await take(pool, 2);
      EXPECT_EQ(taken, 2u);
    });
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(pool.try_take(1));
    pool.give(1);
    co_await waiting;
    EXPECT_EQ(pool.available(), 0u);
  });
}

// When the last who waited has left, permits are taken and given without the lock again.
TEST_P(PermitPool, WhenAllHaveLeftWhatIsThereCanBeTaken) {
  permit_pool pool("permits", 1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const bool taken = (co_await move_on_after(1s, take(pool, 2))).has_value();
    EXPECT_FALSE(taken);
    EXPECT_TRUE(pool.try_take(1));
    pool.give(1);
    EXPECT_EQ(pool.available(), 1u);
  });
}

}  // namespace
}  // namespace coppice::detail
