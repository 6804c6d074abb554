#include <coppice/detail/wait.h>
#include <gtest/gtest.h>

#include <new>
#include <optional>

#include "tests/support/load.h"
#include "tests/support/stub_event.h"
#include "tests/support/stub_node.h"

namespace coppice::detail {
namespace {

using testing_support::ending;
using testing_support::rounds;
using testing_support::stub_event;
using testing_support::stub_node;
using testing_support::stub_task;

task<int> wait_for(stub_event& event) {
  co_return co_await event.wait();
}

class Wait : public testing::TestWithParam<unsigned> {
 protected:
  ~Wait() override {
    EXPECT_EQ(node_.waiting(), 0);
    EXPECT_EQ(event_.armed, event_.disarmed);
  }

  executor on_{options{.threads = GetParam()}};
  stub_node node_{on_};
  stub_event event_;
};

INSTANTIATE_TEST_SUITE_P(Workers, Wait, testing::Values(1u, 2u));

TEST_P(Wait, DoesNotSuspendForWhatIsReady) {
  (void)event_.set(7);
  stub_task<int> waiting(on_, node_, wait_for(event_));
  EXPECT_EQ(waiting.get(), 7);
  EXPECT_EQ(event_.armed, 0);
  EXPECT_EQ(node_.enrolled(), 0);
}

TEST_P(Wait, GoesOnWhenTheEventComes) {
  stub_task<int> waiting(on_, node_, wait_for(event_));
  node_.await_enrolled(1);
  while (event_.armed == 0) {
    std::this_thread::yield();
  }
  EXPECT_NE(event_.set(7), claim_result::lost);
  EXPECT_EQ(waiting.get(), 7);
}

TEST_P(Wait, GoesOnByItselfIfTheEventComesWhileItArms) {
  claim_result told = claim_result::lost;
  event_.while_arming = [&] { told = event_.set(7); };
  stub_task<int> waiting(on_, node_, wait_for(event_));
  EXPECT_EQ(waiting.get(), 7);
  EXPECT_EQ(told, claim_result::fired);
}

TEST_P(Wait, StopsOnEntryBeforeTheOperationHasAnyEffect) {
  (void)event_.set();
  node_.cancel();
  stub_task<int> waiting(on_, node_, wait_for(event_));
  EXPECT_EQ(waiting.wait(), ending::stopped);
  EXPECT_EQ(event_.armed, 0);
  EXPECT_EQ(event_.results, 0);
  EXPECT_EQ(node_.enrolled(), 0);
}

TEST_P(Wait, StopsIfItIsCancelledWhileItArms) {
  event_.while_arming = [&] { node_.cancel(); };
  stub_task<int> waiting(on_, node_, wait_for(event_));
  EXPECT_EQ(waiting.wait(), ending::stopped);
  EXPECT_EQ(event_.results, 0);
}

TEST_P(Wait, StopsIfItIsCancelledBeforeItIsKnownToTheEvent) {
  event_.before_arming = [&] { node_.cancel(); };
  stub_task<int> waiting(on_, node_, wait_for(event_));
  EXPECT_EQ(waiting.wait(), ending::stopped);
}

// An operation that has completed delivers its result.
TEST_P(Wait, DeliversAnEventThatCameBeforeTheCancelWhileItArms) {
  event_.while_arming = [&] {
    EXPECT_EQ(event_.set(7), claim_result::fired);
    node_.cancel();
  };
  stub_task<int> waiting(on_, node_, wait_for(event_));
  EXPECT_EQ(waiting.get(), 7);
}

TEST_P(Wait, StopsWhileItIsSuspended) {
  stub_task<int> waiting(on_, node_, wait_for(event_));
  node_.await_enrolled(1);
  node_.cancel();
  EXPECT_EQ(waiting.wait(), ending::stopped);
  EXPECT_EQ(event_.set(), claim_result::lost);
  EXPECT_EQ(event_.results, 0);
}

TEST_P(Wait, ACancelElsewhereDoesNotEndIt) {
  stub_node other(on_);
  event_.while_arming = [&] { other.cancel(); };
  stub_task<int> waiting(on_, node_, wait_for(event_));
  node_.await_enrolled(1);
  while (event_.armed == 0) {
    std::this_thread::yield();
  }
  EXPECT_NE(event_.set(7), claim_result::lost);
  EXPECT_EQ(waiting.get(), 7);
}

TEST_P(Wait, WhatArmingThrowsIsTheWaitersAndNothingHasBegun) {
  event_.before_arming = [] { throw std::bad_alloc(); };
  const auto body = [&]() -> task<int> {
    bool refused = false;
    try {
      co_await event_.wait();
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    event_.before_arming = nullptr;
    event_.while_arming = [&] { (void)event_.set(7); };
    co_return co_await event_.wait();  // The task may go on to wait.
  };
  stub_task<int> waiting(on_, node_, body());
  EXPECT_EQ(waiting.get(), 7);
}

TEST_P(Wait, SaysWhatItWaitsFor) {
  task_handle<int> waiting = on_.spawn(wait_for(event_));
  while (waiting.status() != task_status::suspended || event_.armed == 0) {
    std::this_thread::yield();
  }
  EXPECT_STREQ(handle_access::cell(waiting, "test").waiting_for(), "stub_event");
  (void)event_.set();
  EXPECT_TRUE(on_.wait_until_idle());
  EXPECT_EQ(handle_access::cell(waiting, "test").waiting_for(), nullptr);
}

// A wait that is over leaves nothing behind that points at it: its frame is gone at once.
TEST_P(Wait, MayBeGoneAsSoonAsItIsOver) {
  for (int round = 0; round != 100; ++round) {
    auto event = std::make_unique<stub_event>();
    stub_task<int> waiting(on_, node_, wait_for(*event));
    node_.await_enrolled(round + 1);
    while (event->armed == 0) {
      std::this_thread::yield();
    }
    (void)event->set();
    EXPECT_EQ(waiting.wait(), ending::value);
  }
}

// ---- The stopped channel: from the wait up to the nearest catch point -------------------------------

struct traced {
  explicit traced(std::vector<int>& into, int which) : destroyed(into), name(which) {}
  traced(const traced&) = delete;
  ~traced() { destroyed.push_back(name); }
  std::vector<int>& destroyed;
  int name;
};

task<int> nest(stub_event& event, std::vector<int>& destroyed, int depth) {
  const traced local(destroyed, depth);
  if (depth == 0) {
    co_return co_await event.wait();
  }
  const int below = co_await nest(event, destroyed, depth - 1);
  co_return below;
}

TEST_P(Wait, AStopDestroysTheFramesThatAwaitItInnermostFirst) {
  std::vector<int> destroyed;
  stub_task<int> waiting(on_, node_, nest(event_, destroyed, 5));
  node_.await_enrolled(1);
  node_.cancel();
  EXPECT_EQ(waiting.wait(), ending::stopped);
  EXPECT_EQ(destroyed, (std::vector{0, 1, 2, 3, 4, 5}));
}

TEST_P(Wait, AStopUnwindsAChainOfAnyDepth) {
  constexpr int depth = 100'000;
  std::vector<int> destroyed;
  destroyed.reserve(depth + 1);
  stub_task<int> waiting(on_, node_, nest(event_, destroyed, depth));
  node_.await_enrolled(1);
  node_.cancel();
  EXPECT_EQ(waiting.wait(), ending::stopped);
  ASSERT_EQ(destroyed.size(), std::size_t{depth} + 1);
  EXPECT_TRUE(std::is_sorted(destroyed.begin(), destroyed.end()));
}

// Else the frame would be destroyed under the feet of the code that is suspending it.
TEST_P(Wait, AStopIsNotDeliveredInsideTheSuspension) {
  std::vector<int> destroyed;
  std::optional<std::size_t> destroyed_inside;
  event_.while_arming = [&] {
    node_.cancel();
    destroyed_inside = destroyed.size();
  };
  stub_task<int> waiting(on_, node_, nest(event_, destroyed, 3));
  EXPECT_EQ(waiting.wait(), ending::stopped);
  EXPECT_EQ(destroyed_inside, 0u);
  EXPECT_EQ(destroyed.size(), 4u);
}

TEST_P(Wait, NoCatchBlockSeesAStop) {
  bool caught = false;
  const auto body = [&]() -> task<> {
    try {
      co_await event_.wait();
    } catch (...) {
      caught = true;
    }
  };
  stub_task<> waiting(on_, node_, body());
  node_.await_enrolled(1);
  node_.cancel();
  EXPECT_EQ(waiting.wait(), ending::stopped);
  EXPECT_FALSE(caught);
}

// ---- Races -----------------------------------------------------------------------------------------

// Whoever wins, the task ends once, and with its value exactly if the event was told so.
TEST_P(Wait, OfAnEventAndACancelExactlyOneEndsIt) {
  for (long round = 0; round != rounds(100'000, 500); ++round) {
    stub_node node(on_);
    stub_event event;
    claim_result told = claim_result::lost;
    stub_task<int> waiting(on_, node, wait_for(event));
    {
      const std::jthread canceller([&] { node.cancel(); });
      told = event.set(7);
    }
    const ending how = waiting.wait();
    if (told == claim_result::lost) {
      ASSERT_TRUE(how == ending::stopped ||
                  how == ending::value);  // It may have been set on entry.
    } else {
      ASSERT_EQ(how, ending::value);
    }
    ASSERT_EQ(node.waiting(), 0);
    ASSERT_EQ(event.results, how == ending::value ? 1 : 0);
  }
}

}  // namespace
}  // namespace coppice::detail
