// The traps of walks, links and shields, each with the rule that keeps out of it.
#include <coppice/detail/slot_set.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/open_nodes.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

using testing_support::on_worker;
using testing_support::open_branch;
using testing_support::open_strand;
using testing_support::open_wait;

// Rule: who closes a scope takes its link back first, and gives its slots away behind that.
TEST(Traps, AScopeTakesItsLinkBackBeforeItsSlotsAreOthers) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch above;
    open_branch scope(&above, here.now());
    open_wait wait;
    slot* link = nullptr;
    above.when_entered = [&](slot& at) { link = &at; };
    ASSERT_TRUE(wait.begin_below(scope, here));
    ASSERT_NE(link, nullptr);
    const slot::view seen = link->look();
    slot_chunk* const below = link->linked(seen);
    ASSERT_NE(below, nullptr);
    const std::uint64_t set = below->set();
    int left = 0;
    above.before_leaving = [&](slot& at) {
      ++left;
      EXPECT_EQ(&at, link);
      EXPECT_NE(at.look().at, slot::state::link) << "a walk could still go down";
      EXPECT_EQ(at.linked(seen), nullptr);
      EXPECT_EQ(below->set(), set) << "the slots have been given away";
    };
    wait.give_up(here);
    scope.close(&here);
    EXPECT_EQ(left, 1);
    EXPECT_NE(below->set(), set);
    above.close(&here);
  });
}

// Rule: a walk owns its nodes. Two of one scope meet, the second begun in the midst of the first, at each place there is;
// both go on to the end.
TEST(Traps, TwoWalksOfOneScopeMeetAndStopEachWaitOnce) {
  constexpr std::size_t count = 40;
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    for (std::size_t meeting = 0; meeting != 2 * count; ++meeting) {
      open_branch scope;
      std::deque<open_branch> inner;
      std::deque<open_wait> waits;
      for (std::size_t i = 0; i != count; ++i) {
        if (i % 4 == 0) {
          inner.emplace_back(&scope, here.now());
        }
        cancel_node& below = i % 2 == 0 ? static_cast<cancel_node&>(scope) : inner.back();
        ASSERT_TRUE(waits.emplace_back().begin_below(below, here));
      }
      waits[meeting / 2].when_stopped = [&] {  // Of the whole, or of a part.
        meeting % 2 == 0 ? scope.walk_below(here) : inner.front().walk_below(here);
      };
      scope.request(here.home);
      scope.walk_below(here);
      for (open_wait& each : waits) {
        EXPECT_EQ(each.stops, 1);
        each.end(here);
      }
      for (open_branch& each : inner) {
        each.close(&here);
      }
      scope.close(&here);
    }
  });
}

// Rule: the linker walks what it has linked. While it is half linked, another relies on its link, and a walk from above
// passes without finding either.
TEST(Traps, WhatWasLinkedBehindTheWalkOfItsParentIsWalkedByTheLinker) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch root;
    open_branch middle(&root, here.now());
    open_branch scope(&middle, here.now());
    open_wait linking;
    open_wait relying;
    bool entered = false;
    root.when_entered =
        [&](slot&) {  // `scope` is linked to `middle`, and that not yet to the root.
          if (std::exchange(entered, true)) {
            return;
          }
          ASSERT_TRUE(scope.linked());
          ASSERT_FALSE(middle.linked());
          EXPECT_TRUE(relying.begin_below(scope, here));
          root.request(here.home);
          root.walk_below(here);
          EXPECT_EQ(relying.stops, 0) << "it cannot be found yet";
        };
    EXPECT_FALSE(linking.begin_below(scope, here)) << "the linker sees the request itself";
    EXPECT_EQ(relying.stops, 1);
    linking.end(here);
    relying.end(here);
    scope.close(&here);
    middle.close(&here);
    root.close(&here);
  });
}

// Without a request in between there is nothing to walk.
TEST(Traps, WhatIsLinkedInQuietIsNotWalked) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch root;
    open_branch scope(&root, here.now());
    open_wait first;
    EXPECT_TRUE(first.begin_below(scope, here));
    EXPECT_EQ(root.polls + scope.polls, 0);
    first.give_up(here);
    scope.close(&here);
    root.close(&here);
  });
}

// Rule: a shield counts from the moment it stands. A walk that stops one wait, which sets the shield above the next,
// leaves that alone.
TEST(Traps, AShieldSetWhileAWalkTravelsKeepsItOut) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch scope;
    open_strand shield(&scope, here.now());
    open_wait first;
    open_wait shielded;
    ASSERT_TRUE(first.begin_below(scope, here));
    ASSERT_TRUE(shielded.begin_below(shield, here));
    first.when_stopped = [&] { shield.shield_from_above(true, here.home); };
    scope.request(here.home);
    scope.walk_below(here);
    EXPECT_EQ(first.stops, 1);
    EXPECT_EQ(shielded.stops, 0);
    first.end(here);
    shielded.give_up(here);
    shield.close(here);
    scope.close(&here);
  });
}

// Rule: lifting moves the epoch and fans out. The walk has passed the shield, or has not: either way the wait is stopped,
// and once.
TEST(Traps, AShieldLiftedWhileAWalkTravelsLetsItIn) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    for (const bool passed : {false, true}) {
      open_branch scope;
      open_strand shield(&scope, here.now());
      shield.shield_from_above(true, here.home);
      open_wait lifting;
      open_wait shielded;
      if (passed) {
        ASSERT_TRUE(shielded.begin_below(shield, here));
      }
      ASSERT_TRUE(lifting.begin_below(scope, here));
      if (!passed) {
        ASSERT_TRUE(shielded.begin_below(shield, here));
      }
      lifting.when_stopped = [&] {
        EXPECT_EQ(shielded.stops, 0);
        shield.shield_from_above(false, here.home);
        if (passed) {
          shield.walk_below(here);  // As set_shield() has it done.
        }
      };
      scope.request(here.home);
      scope.walk_below(here);
      EXPECT_EQ(shielded.stops, 1) << (passed ? "the walk had passed" : "the walk comes by");
      lifting.end(here);
      shielded.end(here);
      shield.close(here);
      scope.close(&here);
    }
  });
}

// The whole of it: nobody cancels again, and yet what sleeps below a shield that is lifted stops.
TEST(Traps, AShieldLiftedBehindTheWalkFansOutItself) {
  task_handle<> sleeping;
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    const auto body = [&](cancel_scope& outer) -> task<> {
      const auto group_body = [&](task_group& group) -> task<> {
        group.set_shield(true);
        sleeping = group.spawn([]() -> task<> { co_await sleep_for(forever); });
        while (sleeping.status() != task_status::suspended) {
          co_await yield();
        }
        outer.cancel("from above");
        for (int i = 0; i != 100; ++i) {
          co_await yield();  // Below the shield: no request reaches it, and the walk has passed.
        }
        EXPECT_EQ(sleeping.status(), task_status::suspended);
        group.set_shield(false);
        while (!sleeping.done()) {
          std::this_thread::yield();  // Holds its worker: nobody but the fan-out ends the wait.
        }
      };
      co_await with_group(group_body);
      co_await yield();  // Outside the shield again.
    };
    const scope_result<void> seen = co_await with_scope(body);
    EXPECT_TRUE(seen.cancelled_caught);
  });
  EXPECT_EQ(sleeping.status(), task_status::cancelled);
}

struct end_note {
  std::thread::id thread;
  bool on_worker = false;
};

struct notes_its_end {
  explicit notes_its_end(end_note& to) : to_(to) {}
  notes_its_end(const notes_its_end&) = delete;
  ~notes_its_end() { to_ = {std::this_thread::get_id(), this_worker() != nullptr}; }
  end_note& to_;
};

// Rule: it is documented that frames which are stopped run their destructors on a worker, whoever cancels.
TEST(Traps, FramesThatAreStoppedAreDestroyedOnWorkersOfTheRuntime) {
  end_note ended;
  runtime rt({.threads = 2});
  const task_handle<> sleeping = rt.spawn([&]() -> task<> {
    const notes_its_end local(ended);
    co_await sleep_for(forever);
  });
  while (sleeping.status() != task_status::suspended) {
    std::this_thread::yield();
  }
  sleeping.cancel();
  while (!sleeping.done()) {
    std::this_thread::yield();
  }
  EXPECT_NE(ended.thread, std::this_thread::get_id());
  EXPECT_TRUE(ended.on_worker);
}

}  // namespace
}  // namespace coppice::detail
