#include <coppice/detail/cancel_observer.h>

#include "executor/executor_state.h"

#include <coppice/detail/standstill.h>
#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

class counting_observer final : public cancel_observer {
 public:
  int requests() const { return requests_.load(); }

  // Once nothing runs any more.
  const std::vector<time_point>& left() const { return left_; }

 private:
  void cancel_requested() noexcept override { requests_.fetch_add(1); }
  void time_moved(time_point from) noexcept override { left_.push_back(from); }

  std::atomic<int> requests_{0};
  std::vector<time_point> left_;
};

TEST(CancelObserver, IsToldOfEachRequest) {
  counting_observer observer;
  executor tasks({.threads = 1});
  tasks.observe_cancels(observer);
  tasks.block_on([&]() -> task<> {
    const task_handle<> child = tasks.spawn([]() -> task<> { co_await sleep_for(forever); });
    EXPECT_EQ(observer.requests(), 0);
    child.cancel();
    EXPECT_GT(observer.requests(), 0);
    co_return;
  });
}

TEST(CancelObserver, IsToldWhenVirtualTimeMovesAndFromWhere) {
  counting_observer observer;
  {
    const test_setup setup;
    executor tasks({.threads = 1}, &setup);
    tasks.observe_cancels(observer);
    tasks.block_on([]() -> task<> {
      co_await sleep_for(2s);
      co_await sleep_for(3s);
    });
  }
  ASSERT_EQ(observer.left().size(), 2u);
  EXPECT_EQ(observer.left()[1] - observer.left()[0], 2s);
}

}  // namespace
}  // namespace coppice::detail
