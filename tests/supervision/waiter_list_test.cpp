#include <coppice/detail/wait.h>
#include <coppice/detail/waiter_list.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::texts;
using testing_support::trace;
using testing_support::tree_test;

// The least that one can wait at: whoever is served is given the next number.
class counter_desk {
 public:
  class source : waiter {
   public:
    using value_type = int;
    static constexpr const char* name = "a desk";

    explicit source(counter_desk& at) noexcept : at_(at) {}

    static bool ready() noexcept { return false; }
    void arm(const ticket& wait, worker_core& here) {
      const std::lock_guard lock(at_.mutex_);
      at_.line_.add(*this, wait, here);
    }
    void disarm() noexcept {
      if (const auto lock = leave(at_.mutex_)) {
        ++at_.left_;
      }
    }
    int result() const noexcept { return given_; }

   private:
    friend class counter_desk;

    counter_desk& at_;
    int given_ = 0;
  };

  wait_operation<source> wait() noexcept { return wait_operation<source>(source(*this)); }

  bool serve_one() noexcept {
    woken_list woken;
    const std::lock_guard lock(mutex_);
    return line_.serve_first(
        woken, [this](waiter& one) noexcept { static_cast<source&>(one).given_ = ++last_; });
  }

  int serve_all() noexcept {
    woken_list woken;
    waiter_list all;
    const std::lock_guard lock(mutex_);
    all.take_all(line_);
    EXPECT_TRUE(line_.empty());
    int served = 0;
    while (waiter* const each = all.first()) {
      served += each->serve(woken, [&] { static_cast<source&>(*each).given_ = ++last_; }) ? 1 : 0;
    }
    return served;
  }

  bool empty() const noexcept { return line_.empty(); }
  int left() const noexcept { return left_; }

 private:
  std::mutex mutex_;
  waiter_list line_;
  int last_ = 0;
  int left_ = 0;
};

task<> stand(counter_desk& desk, trace& happened, std::string name) {
  int number = co_await desk.wait();
  happened.add(name + std::to_string(number));
}

class WaiterList : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, WaiterList, testing::Values(1, 2, 4));

TEST_P(WaiterList, ServesInOrderOfArrival) {
  counter_desk desk;
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<>> all;
    for (const char* name : {"a", "b", "c"}) {
      all.push_back(spawn(stand, std::ref(desk), std::ref(happened), std::string(name)));
      co_await wait_all_tasks_blocked();
    }
    for (int i = 0; i != 3; ++i) {
      EXPECT_TRUE(desk.serve_one());
      co_await wait_all_tasks_blocked();
    }
    EXPECT_FALSE(desk.serve_one());
  });
  EXPECT_EQ(happened.said(), (texts{"a1", "b2", "c3"}));
}

TEST_P(WaiterList, OneThatIsStoppedLeavesAndTheOthersMoveUp) {
  counter_desk desk;
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<>> all;
    for (const char* name : {"a", "b", "c", "d"}) {
      all.push_back(spawn(stand, std::ref(desk), std::ref(happened), std::string(name)));
      co_await wait_all_tasks_blocked();
    }
    all[0].cancel();
    all[2].cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(desk.left(), 2);
    EXPECT_TRUE(desk.serve_one());
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(desk.serve_one());
    EXPECT_FALSE(desk.serve_one());
  });
  EXPECT_EQ(happened.said(), (texts{"b1", "d2"}));
}

TEST_P(WaiterList, TakenAsAWholeItIsServedAsAWhole) {
  constexpr int many = 1'000;
  counter_desk desk;
  trace happened;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_EQ(desk.serve_all(), 0);
    for (int i = 0; i != many; ++i) {
      static_cast<void>(spawn(stand, std::ref(desk), std::ref(happened), std::string()));
    }
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(desk.serve_all(), many);
  });
  EXPECT_EQ(happened.said().size(), static_cast<std::size_t>(many));
  EXPECT_TRUE(desk.empty());
}

TEST_P(WaiterList, ManyThatGiveUpLeaveNothingBehind) {
  counter_desk desk;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    for (int i = 0; i != 1'000; ++i) {
      const auto given = co_await move_on_after(1ms, desk.wait());
      EXPECT_FALSE(given.has_value());
    }
  });
  EXPECT_TRUE(desk.empty());
  EXPECT_EQ(desk.left(), 1'000);
}

}  // namespace
}  // namespace coppice::detail
