#include <coppice/cancel.h>
#include <coppice/detail/fork_base.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/walk_ledger.h>
#include <gtest/gtest.h>

#include <coroutine>
#include <cstdint>
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

// A fork that so many children have begun, and whose parent is never come to.
class lone_fork : public fork_base {
 public:
  explicit lone_fork(std::uint32_t children) : parent_(task_access::release(parent_task_)) {
    begin(parent_, nullptr, children, false);
  }
  lone_fork(const lone_fork&) = delete;
  lone_fork& operator=(const lone_fork&) = delete;
  ~lone_fork() { parent_.handle().destroy(); }

  std::uint64_t pending() const noexcept { return word() & pending_mask; }
  bool stopped() const noexcept { return (word() & stopped_bit) != 0; }

 private:
  static task<> nothing() { co_return; }

  task<> parent_task_ = nothing();
  promise_base& parent_;
};

TEST_F(WalkLedger, TellsAForkOnceOfAllThatWereStopped) {
  on_worker([](worker_core& here) {
    lone_fork fork(10);
    EXPECT_FALSE(here.ledger.stop(fork, 1));
    here.ledger.begin_walk();
    for (int i = 0; i != 3; ++i) {
      EXPECT_TRUE(here.ledger.stop(fork, 2));
    }
    EXPECT_EQ(fork.pending(), 10u);
    EXPECT_FALSE(fork.stopped());
    here.ledger.settle(here);
    EXPECT_EQ(fork.pending(), 4u);
    EXPECT_TRUE(fork.stopped());
    EXPECT_TRUE(here.ledger.stop(fork, 1));
    here.ledger.end_walk(here);
    EXPECT_EQ(fork.pending(), 3u);
  });
}

TEST_F(WalkLedger, LeavesASecondForkToWhoeverStopsItsChildren) {
  on_worker([](worker_core& here) {
    lone_fork one(10);
    lone_fork other(10);
    here.ledger.begin_walk();
    EXPECT_TRUE(here.ledger.stop(one, 1));
    EXPECT_FALSE(here.ledger.stop(other, 1));
    here.ledger.settle(here);
    EXPECT_TRUE(here.ledger.stop(other, 1));
    here.ledger.end_walk(here);
    EXPECT_EQ(one.pending(), 9u);
    EXPECT_EQ(other.pending(), 9u);
  });
}

TEST_F(WalkLedger, LeavesWhatIsToRunNextAsItWas) {
  on_worker([](worker_core& here) {
    lone_fork fork(10);
    here.ledger.begin_walk();
    EXPECT_TRUE(here.ledger.stop(fork, 1));
    cancel_node* const scope = here.scope;
    here.next = std::noop_coroutine();
    here.ledger.settle(here);
    EXPECT_TRUE(here.next != nullptr);
    EXPECT_EQ(here.scope, scope);
    here.next = nullptr;
    here.ledger.end_walk(here);
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
