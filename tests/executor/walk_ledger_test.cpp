#include <coppice/cancel.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/walk_ledger.h>
#include <gtest/gtest.h>

#include <optional>

#include "executor/executor_state.h"

namespace coppice::detail {
namespace {

// Counts what it is told.
class counting_keeper final : public task_keeper {
 public:
  admission enter() noexcept override { return admission::closed; }
  void leave() noexcept override {}
  void list(outcome_cell&) override {}
  cancel_node* node() noexcept override { return nullptr; }
  void ended(outcome_cell&, bool) noexcept override {}
  executor_core& home() const noexcept override { std::terminate(); }
  const char* kind() const noexcept override { return "a test"; }
  void left(std::uint32_t tasks, worker_core&) noexcept override {
    gone += tasks;
    ++calls;
  }
  void drop(std::uint32_t references) noexcept override { dropped += references; }

  std::uint32_t gone = 0;
  std::uint32_t dropped = 0;
  int calls = 0;
};

class WalkLedger : public testing::Test {
 protected:
  template <class Body>
  void on_worker(const Body& body) {
    on_.block_on([&] { body(*this_worker()); });
  }

  executor on_{options{.threads = 1}};
  counting_keeper keeper_;
};

TEST_F(WalkLedger, IsOpenDuringAWalk) {
  on_worker([](worker_core& here) {
    EXPECT_FALSE(here.ledger.open());
    here.ledger.begin_walk();
    EXPECT_TRUE(here.ledger.open());
    here.ledger.end_walk(here);
    EXPECT_FALSE(here.ledger.open());
  });
}

TEST_F(WalkLedger, TellsTheKeeperOnceOfAllThatHaveLeft) {
  on_worker([&](worker_core& here) {
    here.ledger.begin_walk();
    for (int i = 0; i != 3; ++i) {
      here.ledger.leave(keeper_, here);
    }
    here.ledger.drop(keeper_, here);
    EXPECT_EQ(keeper_.gone, 0u);
    here.ledger.end_walk(here);
    EXPECT_EQ(keeper_.gone, 3u);
    EXPECT_EQ(keeper_.dropped, 1u);
    EXPECT_EQ(keeper_.calls, 1);
  });
}

TEST_F(WalkLedger, SettlesWithOneKeeperBeforeItTurnsToAnother) {
  on_worker([&](worker_core& here) {
    counting_keeper other;
    here.ledger.begin_walk();
    here.ledger.leave(keeper_, here);
    here.ledger.leave(other, here);
    EXPECT_EQ(keeper_.gone, 1u);
    EXPECT_EQ(other.gone, 0u);
    here.ledger.leave(keeper_, here);
    EXPECT_EQ(other.gone, 1u);
    here.ledger.end_walk(here);
    EXPECT_EQ(keeper_.gone, 2u);
  });
}

TEST_F(WalkLedger, StaysOpenUntilTheOutermostWalkEnds) {
  on_worker([&](worker_core& here) {
    here.ledger.begin_walk();
    here.ledger.begin_walk();
    here.ledger.leave(keeper_, here);
    here.ledger.end_walk(here);
    EXPECT_TRUE(here.ledger.open());
    EXPECT_EQ(keeper_.gone, 0u);
    here.ledger.end_walk(here);
    EXPECT_EQ(keeper_.gone, 1u);
  });
}

// The store of reasons has 256 places; one that is not given back is missing afterwards.
TEST_F(WalkLedger, GivesBackTheReferencesToAReasonThatNobodyHas) {
  on_worker([](worker_core& here) {
    for (int i = 0; i != 10'000; ++i) {
      const cancel_reason reason("why");
      here.ledger.begin_walk();
      {
        const cancel_reason copy = reason;
        const cancel_reason another = copy;
        EXPECT_EQ(another.message(), "why");
      }
      here.ledger.end_walk(here);
    }
    const cancel_reason last("still a place");
    EXPECT_EQ(last.message(), "still a place");
  });
}

TEST_F(WalkLedger, KeepsAReasonAliveThatOutlivesTheWalk) {
  on_worker([](worker_core& here) {
    std::optional<cancel_reason> kept;
    here.ledger.begin_walk();
    {
      const cancel_reason one("one");
      const cancel_reason two("two");
      kept = one;
      const cancel_reason copy = two;
      EXPECT_EQ(copy.message(), "two");
    }
    here.ledger.end_walk(here);
    EXPECT_EQ(kept->message(), "one");
  });
}

}  // namespace
}  // namespace coppice::detail
