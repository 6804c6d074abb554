// What every test of tasks leaves behind: each task has ended in one way, and no frame lives.
#pragma once

#include <coppice/detail/frame_cache.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>

namespace coppice::testing_support {

// Frames and outcome cells that have been handed out and not given back. Only while no executor
// lives: their caches are then all to be had, and are put back in the order they came.
inline std::size_t live_frames() {
  std::array<detail::frame_cache*, 80> caches{};
  std::size_t live =
      detail::frame_cache::live_large_blocks() + detail::frame_cache::live_foreign_blocks();
  for (detail::frame_cache*& each : caches) {
    each = &detail::frame_cache::acquire();
    live += each->live_blocks();
  }
  for (std::size_t i = caches.size(); i-- != 0;) {
    detail::frame_cache::release(*caches[i]);
  }
  return live;
}

// Of one whose tasks have all ended.
inline void expect_balanced(const executor& of) {
  const task_counts counts = of.counts();
  EXPECT_EQ(counts.spawned, counts.completed + counts.failed + counts.cancelled);
  EXPECT_EQ(of.live_task_count(), 0u);
}

// Ends its tasks before it goes, and looks whether all of them are accounted for.
class accounted_executor : public executor {
 public:
  using executor::executor;

  ~accounted_executor() {
    close();
    cancel_from_now(cancel_reason(cancel_kind::shutdown));
    wait_until_idle();
    expect_balanced(*this);
  }
};

// A test behind which no frame may live. Its executors and handles are local to its body.
class accounted_test : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(live_frames(), 0u) << "frames or handles are left"; }
};

// One worker, whose clock jumps to the next timer when nothing else is to do.
inline constexpr detail::test_setup jumping_clock{};

}  // namespace coppice::testing_support
