#include "executor/slots.h"

#include <coppice/detail/suspension.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

std::vector<slot*> members_of(slot* first) {
  std::vector<slot*> members;
  for (; first != nullptr; first = first->next_free()) {
    members.push_back(first);
  }
  return members;
}

TEST(Slots, ComeInALinkedListOfEmptyOnes) {
  slot* const first = slot_reserve::take();
  const std::vector<slot*> members = members_of(first);
  EXPECT_GT(members.size(), 1u);
  EXPECT_EQ(std::set(members.begin(), members.end()).size(), members.size());
  for (slot* each : members) {
    EXPECT_EQ(each->look().at, slot::state::empty);
  }
  slot_reserve::give_back(first);
}

TEST(Slots, WhatIsGivenBackServesTheNext) {
  slot* const first = slot_reserve::take();
  const std::vector<slot*> members = members_of(first);
  slot_reserve::give_back(first);
  slot* const again = slot_reserve::take();
  const std::vector<slot*> members_again = members_of(again);
  for (slot* each : members) {
    EXPECT_NE(std::find(members_again.begin(), members_again.end(), each), members_again.end());
  }
  slot_reserve::give_back(again);
}

// Else a ticket of a wait long over could claim what another executor waits for.
TEST(Slots, KeepTheirGenerationFromOneOwnerToTheNext) {
  struct waiting : suspension {
  } waiter;
  slot* first = slot_reserve::take();
  const ticket old{first, first->arm(waiter)};
  first->release();
  first->next_free(nullptr);
  slot_reserve::give_back(first);
  slot* again = slot_reserve::take();
  while (again != old.at) {
    ASSERT_NE(again, nullptr);
    again = again->next_free();
  }
  EXPECT_NE(again->arm(waiter), old.generation);
  EXPECT_EQ(old.claim(), claim_result::lost);
  again->release();
}

TEST(Slots, NoneAreGivenBackByOneWhoHasNone) {
  slot_reserve::give_back(nullptr);
}

TEST(Slots, AreNeverInTwoHandsAtOnce) {
  std::vector<std::jthread> threads;
  std::vector<std::vector<slot*>> held(4);
  for (std::vector<slot*>& mine : held) {
    threads.emplace_back([&mine] {
      for (int round = 0; round != 1'000; ++round) {
        slot_reserve::give_back(slot_reserve::take());
      }
      mine = members_of(slot_reserve::take());
    });
  }
  threads.clear();
  std::set<slot*> all;
  std::size_t count = 0;
  for (const std::vector<slot*>& mine : held) {
    all.insert(mine.begin(), mine.end());
    count += mine.size();
  }
  EXPECT_EQ(all.size(), count);
  for (const std::vector<slot*>& mine : held) {
    slot_reserve::give_back(mine.front());
  }
}

TEST(Slots, WithoutMemoryAreRefusedAndCanBeAskedForAgain) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  std::vector<slot*> all;  // So that none are left in reserve.
  for (int i = 0; i != 100; ++i) {
    all.push_back(slot_reserve::take());
  }
  {
    const testing_support::fail_allocation_at no_memory(1,
                                                        testing_support::failing_threads::caller);
    EXPECT_THROW(slot_reserve::take(), std::bad_alloc);
  }
  for (std::size_t k = 1;; ++k) {
    testing_support::fail_allocation_at no_memory(k, testing_support::failing_threads::caller);
    try {
      all.push_back(slot_reserve::take());
      break;
    } catch (const std::bad_alloc&) {
    }
  }
  for (slot* each : all) {
    slot_reserve::give_back(each);
  }
}

TEST(Chunks, HaveTheSizeTheyWereAskedFor) {
  for (const slot_chunk::kind size :
       {slot_chunk::kind::small, slot_chunk::kind::middle, slot_chunk::kind::large}) {
    slot_chunk& chunk = chunk_reserve::take(size);
    EXPECT_EQ(chunk.size(), size);
    EXPECT_EQ(reinterpret_cast<std::byte*>(chunk.end()) - reinterpret_cast<std::byte*>(&chunk),
              static_cast<std::ptrdiff_t>(slot_chunk::bytes_of(size)));
    chunk_reserve::give_back(chunk);
  }
}

TEST(Chunks, AreTakenAgain) {
  slot_chunk& first = chunk_reserve::take(slot_chunk::kind::large);
  chunk_reserve::give_back(first);
  EXPECT_EQ(&chunk_reserve::take(slot_chunk::kind::large), &first);
  chunk_reserve::give_back(first);
}

TEST(Chunks, WithoutMemoryAreRefusedAndCanBeAskedForAgain) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP();
  }
  std::vector<slot_chunk*> all;
  all.reserve(1'000);
  for (std::size_t k = 1; k != 3; ++k) {
    testing_support::fail_allocation_at no_memory(k, testing_support::failing_threads::caller);
    while (!no_memory.reached()) {
      try {
        all.push_back(&chunk_reserve::take(slot_chunk::kind::large));
      } catch (const std::bad_alloc&) {
      }
    }
  }
  all.push_back(&chunk_reserve::take(slot_chunk::kind::large));
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size());
  for (slot_chunk* each : all) {
    chunk_reserve::give_back(*each);
  }
}

}  // namespace
}  // namespace coppice::detail
