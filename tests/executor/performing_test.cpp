#include <coppice/detail/performing.h>
#include <coppice/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "executor/executor_state.h"

namespace coppice::detail {
namespace {

using call = completion_state::call;

// A wait that nobody awaits: it counts how often it is made to go on.
class counted_wait : public suspension, job {
 public:
  explicit counted_wait(executor& on) : on_(on) {
    run = [](job& self, worker_core&) noexcept { ++static_cast<counted_wait&>(self).resumed_; };
    begin(*this, nullptr, *on.state().core, nullptr);
    at = &slot_;
    generation_ = slot_.arm(*this);
  }

  ticket wait() const { return {at, generation_}; }
  void fall_asleep() { EXPECT_TRUE(slot_.publish(generation_)); }
  bool claim_for_cancel() { return slot_.claim_suspended(generation_); }

  // What has been posted so far has run: the one worker sees to wakes before it takes what was spawned
  // after it last looked for them.
  int resumed() {
    on_.block_on([] {});
    on_.block_on([] {});
    return resumed_;
  }

 private:
  executor& on_;
  slot slot_;
  std::uint64_t generation_ = 0;
  int resumed_ = 0;
};

class Performing : public testing::Test {
 protected:
  using state = typed_completion_state<int>;

  state& make() { return *new state(wait_, wait_.wait(), source_site::current()); }

  // What the task and the completion do at the end.
  static void drop(state& of) {
    of.drop_ended();
    of.drop_completion();
  }

  executor on_{options{.threads = 1}};
  counted_wait wait_{on_};
};

TEST_F(Performing, OnlyTheFirstCallCounts) {
  state& operation = make();
  EXPECT_EQ(operation.begin_call(), call::first);
  EXPECT_EQ(operation.begin_call(), call::late);
  operation.set(3);
  operation.end();
  EXPECT_EQ(operation.begin_call(), call::late);
  EXPECT_EQ(operation.take(), 3);
  drop(operation);
}

TEST_F(Performing, ACallKnowsThatItWasAskedFor) {
  state& operation = make();
  EXPECT_TRUE(operation.ask());
  EXPECT_EQ(operation.begin_call(), call::first_and_asked);
  operation.end_stopped(true);
  EXPECT_TRUE(operation.stopped());
  drop(operation);
}

TEST_F(Performing, AnOperationThatHasBeenCompletedIsNotAsked) {
  state& operation = make();
  EXPECT_EQ(operation.begin_call(), call::first);
  EXPECT_FALSE(operation.ask());
  operation.set(3);
  operation.end();
  drop(operation);
}

TEST_F(Performing, AWaitThatIsStillArmingGoesOnByItself) {
  state& operation = make();
  EXPECT_EQ(operation.begin_call(), call::first);
  operation.set(3);
  operation.end();
  EXPECT_EQ(wait_.resumed(), 0);
  drop(operation);
}

// Of the steps of both parties, in every order there is: the wait goes on once, and not between the moment
// at which the worker takes the slot and that at which it leaves.
TEST_F(Performing, GoesOnOnceWhateverTheOrder) {
  enum step { call_begins, call_ends, worker_takes, worker_asks, worker_leaves };
  std::array<step, 5> order = {call_begins, call_ends, worker_takes, worker_asks, worker_leaves};
  int orders = 0;
  do {
    const auto position = [&](step of) { return std::find(order.begin(), order.end(), of); };
    if (position(call_begins) > position(call_ends) ||
        position(worker_takes) > position(worker_asks) ||
        position(worker_asks) > position(worker_leaves)) {
      continue;
    }
    ++orders;
    counted_wait wait(on_);
    state& operation = *new state(wait, wait.wait(), source_site());
    wait.fall_asleep();
    bool taken = false;
    bool left = false;
    int worker_resumed = 0;
    for (const step each : order) {
      switch (each) {
        case call_begins:
          EXPECT_EQ(operation.begin_call() != call::late, true);
          break;
        case call_ends:
          operation.set(3);
          operation.end();
          break;
        case worker_takes:
          taken = wait.claim_for_cancel();
          break;
        case worker_asks:
          if (taken) {
            EXPECT_EQ(operation.ask(), position(call_begins) > position(worker_asks));
          }
          break;
        case worker_leaves:
          if (taken) {
            left = true;
            worker_resumed = operation.leave() ? 1 : 0;
          }
          break;
      }
      if (taken && !left) {
        EXPECT_EQ(wait.resumed(), 0) << "order " << orders;
      }
    }
    EXPECT_EQ(taken, position(call_ends) > position(worker_takes));
    EXPECT_EQ(wait.resumed() + worker_resumed, 1) << "order " << orders;
    EXPECT_EQ(operation.take(), 3);
    drop(operation);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 10);
}

TEST_F(Performing, TheLastCompletionToGoFailsWhatWasNeverCompleted) {
  state& operation = make();
  wait_.fall_asleep();
  operation.add_completion();
  operation.drop_completion();
  EXPECT_EQ(wait_.resumed(), 0);
  operation.drop_completion();
  EXPECT_EQ(wait_.resumed(), 1);
  try {
    operation.take();
    ADD_FAILURE() << "did not throw";
  } catch (const usage_error& error) {
    EXPECT_NE(std::string(error.what()).find("performing_test.cpp:"), std::string::npos)
        << error.what();
  }
  operation.drop_ended();
}

TEST_F(Performing, ACallAfterTheWaitWasGivenUpIsLate) {
  state& operation = make();
  operation.drop_abandoned();
  EXPECT_EQ(operation.begin_call(), call::late);
  operation.drop_completion();
  EXPECT_EQ(wait_.resumed(), 0);
}

TEST_F(Performing, ANullFailureIsAMisuse) {
  state& operation = make();
  EXPECT_EQ(operation.begin_call(), call::first);
  operation.end_failed(nullptr);
  EXPECT_THROW(operation.take(), usage_error);
  drop(operation);
}

struct throws_when_moved {
  explicit throws_when_moved(int) {}
  throws_when_moved(throws_when_moved&&) { throw std::runtime_error("cannot move"); }
};

TEST_F(Performing, AValueThatCannotBeMovedIsAFailure) {
  auto& operation =
      *new typed_completion_state<throws_when_moved>(wait_, wait_.wait(), source_site::current());
  EXPECT_EQ(operation.begin_call(), call::first);
  operation.set(throws_when_moved(1));
  operation.end();
  EXPECT_THROW(operation.take(), std::runtime_error);
  operation.drop_ended();
  operation.drop_completion();
}

// The value does not wait for the last completion to go.
TEST_F(Performing, TheResultIsDestroyedWithTheWait) {
  auto& operation = *new typed_completion_state<std::shared_ptr<int>>(wait_, wait_.wait(),
                                                                      source_site::current());
  auto value = std::make_shared<int>(3);
  EXPECT_EQ(operation.begin_call(), call::first);
  operation.set(value);
  operation.end();
  EXPECT_EQ(value.use_count(), 2);
  operation.drop_ended();
  EXPECT_EQ(value.use_count(), 1);
  operation.drop_completion();
}

}  // namespace
}  // namespace coppice::detail
