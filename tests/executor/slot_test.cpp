#include <coppice/detail/slot.h>
#include <coppice/detail/slot_set.h>
#include <coppice/detail/suspension.h>
#include <gtest/gtest.h>

#include <set>

#include "executor/slots.h"
#include "tests/support/load.h"
#include "tests/support/race.h"

namespace coppice::detail {
namespace {

using testing_support::race;
using testing_support::rounds;

struct waiting : suspension {};

// As one who comes by and knows no ticket.
bool claim_if_suspended(slot& at) {
  const slot::view seen = at.look();
  return seen.at == slot::state::suspended && at.claim_suspended(seen.generation);
}

class Slot : public testing::Test {
 protected:
  std::uint64_t arm() { return slot_.arm(waiter_); }
  std::uint64_t suspend() {
    const std::uint64_t generation = arm();
    EXPECT_TRUE(slot_.publish(generation));
    return generation;
  }

  waiting waiter_;
  slot slot_;
};

TEST_F(Slot, NobodyCanClaimAnEmptyOne) {
  EXPECT_FALSE(slot_.open(0));
  EXPECT_EQ(slot_.claim(0), claim_result::lost);
  EXPECT_FALSE(claim_if_suspended(slot_));
}

TEST_F(Slot, AnEventWhileArmingIsTheSuspendersOwn) {
  const std::uint64_t generation = arm();
  EXPECT_TRUE(slot_.open(generation));
  EXPECT_EQ(slot_.claim(generation), claim_result::fired);
  EXPECT_FALSE(slot_.open(generation));
  EXPECT_FALSE(slot_.publish(generation));
  EXPECT_FALSE(slot_.give_up(generation));
}

TEST_F(Slot, AnEventBehindTheSuspensionWins) {
  const std::uint64_t generation = suspend();
  EXPECT_TRUE(slot_.open(generation));
  EXPECT_EQ(slot_.claim(generation), claim_result::won);
  EXPECT_EQ(&slot_.waiter(), &waiter_);
  EXPECT_FALSE(slot_.open(generation));
}

TEST_F(Slot, OneOfTwoEventsWins) {
  const std::uint64_t suspended = suspend();
  EXPECT_EQ(slot_.claim(suspended), claim_result::won);
  EXPECT_EQ(slot_.claim(suspended), claim_result::lost);
  slot_.release();
  const std::uint64_t arming = arm();
  EXPECT_EQ(slot_.claim(arming), claim_result::fired);
  EXPECT_EQ(slot_.claim(arming), claim_result::lost);
}

TEST_F(Slot, ACancelWinsOverThoseThatAreSuspendedOnly) {
  const std::uint64_t generation = arm();
  EXPECT_FALSE(claim_if_suspended(slot_));
  EXPECT_TRUE(slot_.publish(generation));
  EXPECT_TRUE(claim_if_suspended(slot_));
  EXPECT_FALSE(claim_if_suspended(slot_));
  EXPECT_EQ(slot_.claim(generation), claim_result::lost);
}

TEST_F(Slot, APublicationCanBeTakenBackUntilItIsClaimed) {
  const std::uint64_t generation = suspend();
  EXPECT_TRUE(slot_.retract(generation));
  EXPECT_FALSE(claim_if_suspended(slot_));
  EXPECT_TRUE(slot_.publish(generation));
  EXPECT_EQ(slot_.claim(generation), claim_result::won);
  EXPECT_FALSE(slot_.retract(generation));
}

TEST_F(Slot, AnEventBehindARetractionIsTheSuspendersOwn) {
  const std::uint64_t generation = suspend();
  EXPECT_TRUE(slot_.retract(generation));
  EXPECT_EQ(slot_.claim(generation), claim_result::fired);
  EXPECT_FALSE(slot_.give_up(generation));
}

TEST_F(Slot, WhoGivesUpLeavesNothingToClaim) {
  const std::uint64_t generation = arm();
  EXPECT_TRUE(slot_.give_up(generation));
  EXPECT_FALSE(slot_.open(generation));
  EXPECT_EQ(slot_.claim(generation), claim_result::lost);
  EXPECT_FALSE(claim_if_suspended(slot_));
  EXPECT_FALSE(slot_.publish(generation));
}

TEST_F(Slot, AnOldTicketIsVoidForEver) {
  const ticket old{&slot_, suspend()};
  EXPECT_EQ(old.claim(), claim_result::won);
  slot_.release();
  for (int later = 0; later != 100; ++later) {
    EXPECT_FALSE(old.open());
    EXPECT_EQ(old.claim(), claim_result::lost);
    const std::uint64_t generation = arm();
    EXPECT_NE(generation, old.generation);
    EXPECT_FALSE(old.open());
    EXPECT_EQ(old.claim(), claim_result::lost);
    EXPECT_TRUE(slot_.publish(generation));
    EXPECT_FALSE(old.open());
    EXPECT_EQ(old.claim(), claim_result::lost);
    EXPECT_TRUE(claim_if_suspended(slot_));
    slot_.release();
  }
}

TEST_F(Slot, EachEndOfAWaitBeginsANewGeneration) {
  std::set<std::uint64_t> generations;
  const std::vector<void (*)(slot&, std::uint64_t)> ends = {
      [](slot& at, std::uint64_t g) { EXPECT_EQ(at.claim(g), claim_result::fired); },
      [](slot& at, std::uint64_t g) { EXPECT_TRUE(at.give_up(g)); },
      [](slot& at, std::uint64_t g) {
        EXPECT_TRUE(at.publish(g));
        EXPECT_EQ(at.claim(g), claim_result::won);
      },
      [](slot& at, std::uint64_t g) {
        EXPECT_TRUE(at.publish(g));
        EXPECT_TRUE(claim_if_suspended(at));
      },
      [](slot&, std::uint64_t) {},  // The operation threw while it was arming.
  };
  for (const auto& end : ends) {
    const std::uint64_t generation = arm();
    EXPECT_TRUE(generations.insert(generation).second);
    end(slot_, generation);
    slot_.release();
    EXPECT_FALSE(slot_.open(generation));
  }
}

TEST_F(Slot, RemembersAnotherWhileItIsEmpty) {
  slot other;
  slot_.next_free(&other);
  EXPECT_EQ(slot_.next_free(), &other);
  const std::uint64_t generation = suspend();
  EXPECT_EQ(&slot_.waiter(), &waiter_);
  EXPECT_EQ(slot_.claim(generation), claim_result::won);
}

TEST_F(Slot, OfWhoHoldsItIsNobodyElses) {
  EXPECT_TRUE(slot_.hold_if_empty());
  EXPECT_FALSE(slot_.hold_if_empty());
  static_cast<void>(arm());
  EXPECT_FALSE(slot_.hold_if_empty());
  slot_.rest();
  EXPECT_FALSE(slot_.hold_if_empty());
  slot_.release();
  EXPECT_TRUE(slot_.hold_if_empty());
}

TEST_F(Slot, IsHeldFromOneWaitToTheNext) {
  std::set<std::uint64_t> generations;
  for (int i = 0; i != 100; ++i) {
    const std::uint64_t generation = suspend();
    EXPECT_TRUE(generations.insert(generation).second);
    EXPECT_EQ(slot_.claim(generation), claim_result::won);
    slot_.rest();
    EXPECT_EQ(slot_.claim(generation), claim_result::lost);
  }
}

TEST_F(Slot, LeadsSomewhereAsLongAsItIsALink) {
  slot_chunk& below = chunk_reserve::take(slot_chunk::kind::small);
  ASSERT_TRUE(slot_.hold_if_empty());
  slot_.link(below);
  const slot::view seen = slot_.look();
  EXPECT_EQ(seen.at, slot::state::link);
  EXPECT_EQ(slot_.linked(seen), &below);
  EXPECT_FALSE(claim_if_suspended(slot_));
  slot_.unlink();
  EXPECT_EQ(slot_.linked(seen), nullptr);
  EXPECT_EQ(slot_.look().at, slot::state::held);
  slot_.link(below);
  EXPECT_EQ(slot_.linked(seen), nullptr) << "another link, though to the same place";
  chunk_reserve::give_back(below);
}

TEST_F(Slot, WhoClaimsWithoutWaitingLosesAgainstALook) {
  const std::uint64_t generation = suspend();
  EXPECT_TRUE(slot_.retract(generation));
  EXPECT_FALSE(slot_.claim_suspended(generation));
  EXPECT_TRUE(slot_.publish(generation));
  EXPECT_TRUE(slot_.claim_suspended(generation));
}

TEST_F(Slot, ATicketOfNoSlotIsFalse) {
  EXPECT_FALSE(ticket());
  EXPECT_TRUE((ticket{&slot_, 0}));
}

// ---- Races: the suspender, an event, a timer and a cancel meet in every way there is ----------------

class SlotRaces : public testing::Test {
 protected:
  // What the suspender of each round does.
  enum class plan { publish_only, retract_and_give_up, retract_and_publish };

  void run(plan what, bool with_cancel) {
    std::vector<std::function<void()>> racers = {[&] { suspend(what); }, [&] { claim(event_); },
                                                 [&] { claim(timer_); }};
    if (with_cancel) {
      racers.emplace_back([&] { cancel(); });
    }
    race(rounds(1'000'000, 2'000), [&] { begin(); }, racers, [&] { check(); });
  }

 private:
  void begin() {
    event_ = timer_ = claim_result::lost;
    cancelled_ = gave_up_ = refused_ = false;
    suspender_payload_ = 0;
    wait_ = {&slot_, slot_.arm(waiter_)};
  }

  void suspend(plan what) {
    suspender_payload_ = 1;
    if (!slot_.publish(wait_.generation)) {
      refused_ = true;
    } else if (what != plan::publish_only && slot_.retract(wait_.generation)) {
      if (what == plan::retract_and_give_up) {
        gave_up_ = slot_.give_up(wait_.generation);
        refused_ = !gave_up_;
      } else {
        refused_ = !slot_.publish(wait_.generation);
      }
    }
  }

  void claim(claim_result& told) {
    told = wait_.claim();
    if (told == claim_result::won) {
      EXPECT_EQ(suspender_payload_, 1);  // S4.
    }
  }

  void cancel() {
    cancelled_ = claim_if_suspended(slot_);
    if (cancelled_) {
      EXPECT_EQ(suspender_payload_, 1);  // S4.
    }
  }

  void check() {
    const int won = (event_ == claim_result::won) + (timer_ == claim_result::won);
    const int fired = (event_ == claim_result::fired) + (timer_ == claim_result::fired);
    ASSERT_EQ(won + fired + cancelled_ + gave_up_, 1);
    ASSERT_EQ(fired == 1, refused_);
    slot_.release();
  }

  waiting waiter_;
  slot slot_;
  ticket wait_;
  claim_result event_;
  claim_result timer_;
  bool cancelled_ = false;
  bool gave_up_ = false;
  bool refused_ = false;
  int suspender_payload_ = 0;  // Plain, so that ThreadSanitizer sees to S4 too.
};

TEST_F(SlotRaces, ExactlyOneEndsASuspension) {
  run(plan::publish_only, true);
}
TEST_F(SlotRaces, ExactlyOneEndsASuspensionThatIsGivenUp) {
  run(plan::retract_and_give_up, true);
}
TEST_F(SlotRaces, ExactlyOneEndsASuspensionThatIsRenewed) {
  run(plan::retract_and_publish, true);
}
TEST_F(SlotRaces, ExactlyOneOfTwoEventsEndsASuspension) {
  run(plan::publish_only, false);
}

// S5, whichever way the suspender learns of the event. The payload is plain, for ThreadSanitizer.
TEST(SlotPayload, IsSeenByTheSuspenderThatTheEventEnds) {
  waiting waiter;
  slot at;
  std::uint64_t generation = 0;
  int payload = 0;
  race(
      rounds(1'000'000, 2'000),
      [&] {
        payload = 0;
        generation = at.arm(waiter);
      },
      {[&] {
         payload = 1;
         static_cast<void>(at.claim(generation));
       },
       [&] {
         if (!at.publish(generation) || (at.retract(generation) && !at.give_up(generation))) {
           EXPECT_EQ(payload, 1);
         }
       }},
      [&] { at.release(); });
}

}  // namespace
}  // namespace coppice::detail
