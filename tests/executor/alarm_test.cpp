#include <coppice/detail/alarm.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/accounting.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::jumping_clock;

class counting_alarm final : public alarm {
 public:
  std::atomic<int> rung{0};
  std::atomic<int> references{0};

 private:
  void ring(worker_core&) noexcept override { ++rung; }
  void keep() noexcept override { ++references; }
  void let_go() noexcept override { --references; }
};

class Alarm : public testing::Test {
 protected:
  counting_alarm alarm_;
  executor on_{options{.threads = 1}, &jumping_clock};
};

TEST_F(Alarm, RingsAtItsTimeAndLetsGo) {
  on_.block_on([&]() -> task<> {
    EXPECT_TRUE(alarm_.set(time_in(5s), *this_worker()));
    EXPECT_EQ(alarm_.references, 1);
    co_await sleep_for(4s);
    EXPECT_EQ(alarm_.rung, 0);
    co_await sleep_for(2s);
    EXPECT_EQ(alarm_.rung, 1);
  });
  EXPECT_EQ(alarm_.references, 0);
}

TEST_F(Alarm, DoesNotRingOnceItIsCleared) {
  on_.block_on([&]() -> task<> {
    EXPECT_TRUE(alarm_.clear(*this_worker())) << "one that was never set";
    EXPECT_TRUE(alarm_.set(time_in(5s), *this_worker()));
    EXPECT_TRUE(alarm_.clear(*this_worker()));
    EXPECT_EQ(alarm_.references, 0);
    co_await sleep_for(10s);
    EXPECT_EQ(alarm_.rung, 0);
  });
}

TEST_F(Alarm, SetAgainRingsAtTheNewTimeOnly) {
  on_.block_on([&]() -> task<> {
    EXPECT_TRUE(alarm_.set(time_in(1s), *this_worker()));
    EXPECT_TRUE(alarm_.set(time_in(5s), *this_worker()));
    co_await sleep_for(2s);
    EXPECT_EQ(alarm_.rung, 0);
    co_await sleep_for(4s);
    EXPECT_EQ(alarm_.rung, 1);
  });
}

TEST_F(Alarm, CannotBeMovedOnOnceItHasRung) {
  on_.block_on([&]() -> task<> {
    EXPECT_TRUE(alarm_.set(time_in(1s), *this_worker()));
    co_await sleep_for(2s);
    EXPECT_FALSE(alarm_.clear(*this_worker()));
    EXPECT_FALSE(alarm_.set(time_in(1s), *this_worker()));
    co_await sleep_for(2s);
    EXPECT_EQ(alarm_.rung, 1);
  });
}

}  // namespace
}  // namespace coppice::detail
