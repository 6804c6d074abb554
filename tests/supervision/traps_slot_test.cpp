// The traps of suspending and of slots, each with the rule that keeps out of it.
#include <coppice/detail/slot_set.h>
#include <coppice/detail/wait.h>
#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <new>
#include <vector>

#include "tests/support/open_nodes.h"

namespace coppice::detail {
namespace {

using testing_support::on_worker;
using testing_support::open_branch;
using testing_support::open_wait;

std::size_t chunks_of(const slot_set& set) {
  std::size_t chunks = 0;
  for (slot_chunk* shard = set.first(); shard != nullptr; shard = shard->next_shard()) {
    for (slot_chunk* chunk = shard; chunk != nullptr; chunk = chunk->next()) {
      ++chunks;
    }
  }
  return chunks;
}

// Rule: the claim word lies in a slot that is only ever a slot, with a generation. A walker that fell asleep behind its
// look wakes up when the frame that it saw is another wait's.
TEST(Traps, AWalkerThatMeetsARecycledFrameClaimsNothing) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch scope;
    alignas(open_wait) std::byte frame[sizeof(open_wait)];
    auto* wait = ::new (static_cast<void*>(frame)) open_wait;
    ASSERT_TRUE(wait->begin_below(scope, here));
    slot& seen_at = *wait->at;
    const slot::view seen = seen_at.look();
    ASSERT_EQ(wait->ticket().claim(), claim_result::won);
    wait->end(here);
    wait->~open_wait();

    wait = ::new (static_cast<void*>(frame)) open_wait;
    std::vector<slot*> passed;  // Until the search comes by the same slot again.
    while (!(wait->begin_below(scope, here) && wait->at == &seen_at)) {
      wait->give_up(here);
      ASSERT_LT(passed.size(), 1'000u);
      passed.push_back(nullptr);
    }
    EXPECT_FALSE(seen_at.retract(seen.generation));
    EXPECT_FALSE(seen_at.claim_suspended(seen.generation));
    EXPECT_EQ(seen_at.claim(seen.generation), claim_result::lost);
    EXPECT_EQ(seen_at.look().at, slot::state::suspended) << "the new wait goes on";
    EXPECT_EQ(wait->ticket().claim(), claim_result::won);
    wait->end(here);
    wait->~open_wait();
    scope.close(&here);
  });
}

// The same when not even the scope is there, and its slots serve another.
TEST(Traps, ATicketMayBeTriedWhenTheScopeOfItsWaitHasGone) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    ticket old;
    for (int round = 0; round != 1'000; ++round) {
      open_branch scope;
      open_wait wait;
      ASSERT_TRUE(wait.begin_below(scope, here));
      if (old) {
        EXPECT_FALSE(old.open());
        EXPECT_EQ(old.claim(), claim_result::lost);
      }
      old = wait.ticket();
      wait.give_up(here);
      scope.close(&here);
    }
  });
}

// Rule: behind the publication the suspender looks at the epoch only; before it looks at its scope it takes the slot
// back. Here the epoch has moved since it last looked.
TEST(Traps, TheSuspenderLooksAtItsScopeOnlyWhileItsSlotIsTakenBack) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch scope;
    open_wait wait;
    std::vector<slot::state> found;
    scope.when_polled = [&] { found.push_back(wait.at->look().at); };
    const epoch before = here.now();
    here.home.bump_epoch();
    EXPECT_TRUE(wait.begin_below(scope, here, before));
    EXPECT_EQ(found, std::vector{slot::state::arming});
    EXPECT_EQ(wait.at->look().at, slot::state::suspended);
    wait.give_up(here);
    scope.close(&here);
  });
}

// The same of a walker: while it asks the scope, nobody can end the wait, and so not the scope.
TEST(Traps, AWalkerLooksAtTheScopeOnlyWhileTheSlotIsTakenBack) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch scope;
    open_wait wait;
    ASSERT_TRUE(wait.begin_below(scope, here));
    std::vector<slot::state> found;
    scope.when_polled = [&] { found.push_back(wait.at->look().at); };
    here.home.bump_epoch();
    scope.walk_below(here);
    EXPECT_EQ(found, std::vector{slot::state::arming});
    EXPECT_EQ(wait.at->look().at, slot::state::suspended);
    EXPECT_EQ(wait.stops, 0);
    wait.give_up(here);
    scope.close(&here);
  });
}

// Rule: taken back as arming, so that an event leaves `fired`, and the suspender's next step finds it.
TEST(Traps, AnEventThatFiresWhileTakenBackLeavesFired) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    open_branch scope;
    open_wait wait;
    claim_result told = claim_result::lost;
    scope.when_polled = [&] { told = wait.ticket().claim(); };
    const epoch before = here.now();
    here.home.bump_epoch();
    EXPECT_FALSE(wait.begin_below(scope, here, before)) << "it goes on by itself";
    EXPECT_EQ(told, claim_result::fired);
    EXPECT_EQ(wait.at->look().at, slot::state::fired);
    wait.end(here);
    scope.close(&here);
  });
}

// The same of a walker, which has the wake-up to make good; also when the wait is to stop: what has come is delivered.
TEST(Traps, AnEventThatFiresWhileAWalkerLooksWakesItsWaiter) {
  for (const bool requested : {false, true}) {
    runtime rt({.threads = 1});
    open_branch scope;
    open_wait wait;
    on_worker(rt, [&](worker_core& here) {
      ASSERT_TRUE(wait.begin_below(scope, here));
      claim_result told = claim_result::lost;
      scope.when_polled = [&] { told = wait.ticket().claim(); };
      requested ? scope.request(here.home) : here.home.bump_epoch();
      scope.walk_below(here);
      EXPECT_EQ(told, claim_result::fired);
    });
    int resumed = 0;
    for (int i = 0; i != 1'000 && resumed == 0; ++i) {
      on_worker(rt, [&](worker_core&) { resumed = wait.resumed; });
    }
    EXPECT_EQ(resumed, 1);
    EXPECT_EQ(wait.stops, 0);
    on_worker(rt, [&](worker_core& here) {
      wait.end(here);
      scope.close(&here);
    });
  }
}

// Rule: a slot that is handed out is held, from that moment on. One that is not armed yet must not be found by the sweep
// that the others cause.
TEST(Traps, ASlotThatWasHandedOutIsNotEmptyForTheSweep) {
  runtime rt({.threads = 1});
  on_worker(rt, [](worker_core& here) {
    slot_set set;
    slot& handed_out = set.take(&here);
    std::vector<slot*> ring(50, nullptr);
    for (std::size_t i = 0; i != 10'000; ++i) {
      slot*& place = ring[i % ring.size()];
      if (place != nullptr) {
        place->release();
      }
      place = &set.take(&here);
      ASSERT_NE(place, &handed_out);
    }
    EXPECT_EQ(handed_out.look().at, slot::state::held);
    handed_out.release();
    for (slot* each : ring) {
      each->release();
    }
    set.close(&here);
  });
}

// Rule: dead slots are swept before a chunk is added. What is taken here is given back by another thread.
TEST(Traps, AShardWhoseWaitsAllEndElsewhereStaysSmall) {
  runtime rt({.threads = 1});
  slot_set set;
  std::vector<slot*> taken;
  for (int round = 0; round != 2'000; ++round) {
    on_worker(rt, [&](worker_core& here) {
      for (int i = 0; i != 20; ++i) {
        taken.push_back(&set.take(&here));
      }
    });
    for (slot* each : taken) {
      each->release();
    }
    taken.clear();
  }
  EXPECT_LE(chunks_of(set), 3u) << "for 40 000 waits, never more than 20 at once";
  on_worker(rt, [&](worker_core& here) { set.close(&here); });
}

// An event whose node lies in the frame that waits; it must be unlinked before its ticket is void.
struct linked_event {
  ticket wait;
  bool linked = false;
  int unlinked = 0;
  int too_late = 0;  // Unlinked when others might have the slot.
};

class linked_source {
 public:
  using value_type = void;
  static constexpr const char* name = "linked_event";

  explicit linked_source(linked_event& of) noexcept : of_(&of) {}
  bool ready() const noexcept { return false; }
  void arm(const ticket& wait, worker_core&) noexcept {
    of_->wait = wait;
    of_->linked = true;
  }
  void disarm() noexcept {
    of_->linked = false;
    ++of_->unlinked;
    of_->too_late += of_->wait.at->look().generation == of_->wait.generation ? 0 : 1;
  }
  void result() const noexcept {}

 private:
  linked_event* of_;
};

task<> waiting_for(linked_event& event) {
  co_await wait_operation<linked_source>(linked_source(event));
}

// Rule: nodes in frames are unlinked before the generation moves on, whoever ends the wait.
TEST(Traps, AnEventsNodeIsUnlinkedBeforeItsTicketIsVoid) {
  linked_event come;
  linked_event stopped;
  runtime rt({.threads = 1});
  rt.block_on([&]() -> task<> {
    const task_handle<> first = spawn(waiting_for(come));
    const task_handle<> second = spawn(waiting_for(stopped));
    while (!(come.linked && stopped.linked)) {
      co_await yield();
    }
    EXPECT_EQ(come.wait.claim(), claim_result::won);
    come.wait.at->waiter().resume();
    second.cancel();
    co_await first;
    while (!second.done()) {
      co_await yield();
    }
  });
  for (const linked_event* each : {&come, &stopped}) {
    EXPECT_FALSE(each->linked);
    EXPECT_EQ(each->unlinked, 1);
    EXPECT_EQ(each->too_late, 0);
    EXPECT_FALSE(each->wait.open());
  }
}

}  // namespace
}  // namespace coppice::detail
