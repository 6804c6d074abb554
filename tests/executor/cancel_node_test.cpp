#include <coppice/detail/cancel_node.h>
#include <gtest/gtest.h>

#include "tests/support/stub_event.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::ending;
using testing_support::stub_event;
using testing_support::stub_node;
using testing_support::stub_task;

constexpr epoch first = epoch_step;
constexpr epoch second = 2 * epoch_step;

class CancelNode : public testing::Test {
 protected:
  executor on_{options{.threads = 1}};
  stub_node node_{on_};
};

TEST_F(CancelNode, KnowsNothingBeforeItHasLooked) {
  EXPECT_FALSE(node_.clear_at(first));
  EXPECT_EQ(node_.polls(), 0);
}

TEST_F(CancelNode, LooksOncePerEpoch) {
  for (int i = 0; i != 3; ++i) {
    EXPECT_FALSE(node_.cancelled_at(first));
    EXPECT_TRUE(node_.clear_at(first));
  }
  EXPECT_EQ(node_.polls(), 1);
}

TEST_F(CancelNode, LooksAgainWhenTheEpochHasMoved) {
  EXPECT_FALSE(node_.cancelled_at(first));
  EXPECT_FALSE(node_.clear_at(second));
  EXPECT_EQ(node_.polls(), 1);
  EXPECT_FALSE(node_.cancelled_at(second));
  EXPECT_EQ(node_.polls(), 2);
  EXPECT_TRUE(node_.clear_at(second));
  EXPECT_FALSE(node_.clear_at(first));
}

TEST_F(CancelNode, RemembersAYesAndIsNeverClearThen) {
  EXPECT_FALSE(node_.cancelled_at(first));
  node_.cancel();
  for (int i = 0; i != 3; ++i) {
    EXPECT_TRUE(node_.cancelled_at(second));
    EXPECT_FALSE(node_.clear_at(second));
  }
  EXPECT_EQ(node_.polls(), 2);
}

TEST_F(CancelNode, AnEpochLeavesItsLowestBitFree) {
  executor_core& core = *on_.state().core;
  const epoch before = core.seq_cst_epoch();
  EXPECT_EQ(before & 1, 0u);
  core.bump_epoch();
  EXPECT_EQ(core.seq_cst_epoch(), before + epoch_step);
}

// Waiting asks nobody above as long as nobody anywhere cancels.
TEST_F(CancelNode, IsNotAskedAgainByWaitsOfOneEpoch) {
  std::vector<stub_event> events(10);
  const auto body = [&]() -> task<> {
    for (stub_event& each : events) {
      each.while_arming = [&each] { (void)each.set(); };
      co_await each.wait();
    }
  };
  stub_task<> waiting(on_, node_, body());
  EXPECT_EQ(waiting.wait(), ending::value);
  EXPECT_EQ(node_.polls(), 1);
  EXPECT_EQ(node_.enrolled(), 10);
  EXPECT_EQ(node_.waiting(), 0);
}

// E1: who sees the epoch that a cancel has moved sees the cancel.
TEST(CancelNodeRaces, WhoSeesTheEpochMovedSeesTheRequest) {
  for (int round = 0; round != 200; ++round) {
    executor on({.threads = 1});
    stub_node node(on);
    const epoch before = on.state().core->seq_cst_epoch();
    std::jthread canceller([&] { node.cancel(); });
    const bool seen = on.block_on([&] {
      while (this_worker()->now() == before) {
        std::this_thread::yield();
      }
      return node.cancelled_at(this_worker()->now());
    });
    ASSERT_TRUE(seen);
  }
}

}  // namespace
}  // namespace coppice::detail
