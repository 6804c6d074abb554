#include <coppice/detail/wait.h>
#include <coppice/detail/waiting_place.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "tests/support/tree_test.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

// Waits there until all are released.
class gate_source : waiter {
 public:
  using value_type = void;
  static constexpr const char* name = "a gate";

  explicit gate_source(waiting_place& at) noexcept : at_(at) {}

  static bool ready() noexcept { return false; }
  void arm(const ticket& wait, worker_core& here) {
    const std::lock_guard lock(at_.mutex);
    at_.waiters.add(*this, wait, here);
  }
  void disarm() noexcept { static_cast<void>(leave(at_.mutex)); }
  static void result() noexcept {}

 private:
  waiting_place& at_;
};

wait_operation<gate_source> wait_at(waiting_place& gate) {
  return wait_operation<gate_source>(gate_source(gate));
}

void release_all(waiting_place& gate) {
  gate.release_all(std::unique_lock(gate.mutex));
}

class WaitingPlace : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, WaitingPlace, testing::Values(1, 2, 4));

TEST_P(WaitingPlace, ReleasesWhoWaitsAndNobodyElse) {
  constexpr int many = 1'000;
  waiting_place gate("a gate");
  std::atomic<int> passed{0};
  test_runtime rt(workers());
  const auto pass = [&]() -> task<> {
    co_await wait_at(gate);
    passed.fetch_add(1);
  };
  rt.block_on([&]() -> task<> {
    release_all(gate);
    for (int i = 0; i != many; ++i) {
      static_cast<void>(spawn(pass));
    }
    co_await wait_all_tasks_blocked();
    release_all(gate);
    const task_handle<> late = spawn(pass);
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(passed.load(), many);
    EXPECT_FALSE(late.done());
    late.cancel();
  });
  EXPECT_EQ(passed.load(), many);
}

TEST_P(WaitingPlace, MayBeDestroyedByTheLastWhoIsReleased) {
  test_runtime rt(workers());
  for (int i = 0; i != 200; ++i) {
    auto gate = std::make_unique<waiting_place>("a gate");
    waiting_place& releasing = *gate;
    std::atomic<int> inside{3};
    const auto pass = [&](waiting_place& at) -> task<> {
      co_await wait_at(at);
      if (inside.fetch_sub(1) == 1) {
        gate.reset();
      }
    };
    rt.block_on([&]() -> task<> {
      for (int j = 0; j != 3; ++j) {
        static_cast<void>(spawn(pass, std::ref(releasing)));
      }
      co_await wait_all_tasks_blocked();
      release_all(releasing);
    });
    EXPECT_EQ(gate, nullptr);
  }
}

TEST(WaitingPlaceDeathTest, DestroyedWhileSomebodyWaitsThereItEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        std::optional<waiting_place> gate("a gate");
        rt.block_on([&]() -> task<> {
          static_cast<void>(spawn([&]() -> task<> { co_await wait_at(*gate); }));
          co_await wait_all_tasks_blocked();
          gate.reset();
        });
      },
      "a gate is destroyed while a task waits there");
}

}  // namespace
}  // namespace coppice::detail
