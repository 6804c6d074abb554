#include <coppice/cancel.h>
#include <coppice/detail/reason_block.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

using testing_support::allocations;
using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;
using testing_support::live_allocations;

constexpr source_site a_site{"server.cpp", "serve", 34};
const std::string a_long_text(1'000, 'x');

const reason_block* make(std::string_view text) {
  return reason_block::make(cancel_kind::deadline, text, task_id{7}, a_site);
}

// Bodies without text until the fixed store has no place left.
class full_store {
 public:
  full_store() {
    taken_.reserve(10'000);
    while (taken_.size() < taken_.capacity()) {
      const std::size_t before = allocations();
      taken_.push_back(make(""));
      if (allocations() != before) {
        return;
      }
    }
  }
  ~full_store() {
    for (const reason_block* each : taken_) {
      each->drop();
    }
  }
  std::size_t size() const { return taken_.size(); }

 private:
  std::vector<const reason_block*> taken_;
};

TEST(ReasonBlock, KeepsWhatItWasMadeOf) {
  const reason_block* const block = make("too slow");
  EXPECT_EQ(block->kind(), cancel_kind::deadline);
  EXPECT_EQ(block->text(), "too slow");
  EXPECT_EQ(block->by(), task_id{7});
  EXPECT_EQ(block->where().file, a_site.file);
  EXPECT_EQ(block->where().line, a_site.line);
  block->drop();
}

TEST(ReasonBlock, OwnsItsText) {
  std::string text = a_long_text;
  const reason_block* const block = make(text);
  std::ranges::fill(text, 'y');
  EXPECT_EQ(block->text(), a_long_text);
  block->drop();
}

TEST(ReasonBlock, KeepsATextOfEveryLengthAroundTheSizeOfAPlace) {
  for (std::size_t size = 0; size != 200; ++size) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    const reason_block* const block = make(text);
    ASSERT_EQ(block->text(), text);
    block->drop();
  }
}

TEST(ReasonBlock, KeepsZeroBytesOfItsText) {
  const std::string text("a\0b", 3);
  const reason_block* const block = make(text);
  EXPECT_EQ(block->text(), text);
  block->drop();
}

TEST(ReasonBlock, AShortOneAllocatesNothing) {
  const std::size_t before = allocations();
  const reason_block* const bare = make("");
  const reason_block* const brief = make("the client hung up");
  EXPECT_EQ(allocations(), before);
  bare->drop();
  brief->drop();
}

TEST(ReasonBlock, GivesItsMemoryBack) {
  const std::size_t before = live_allocations();
  for (int i = 0; i != 1'000; ++i) {
    make(a_long_text)->drop();
    make("")->drop();
  }
  EXPECT_EQ(live_allocations(), before);
}

TEST(ReasonBlock, BeyondTheStoreItTakesMemoryAndLosesNothing) {
  const full_store full;
  EXPECT_GE(full.size(), 100u);
  const reason_block* const block = make("too slow");
  EXPECT_EQ(block->text(), "too slow");
  EXPECT_EQ(block->by(), task_id{7});
  EXPECT_EQ(block->where().line, a_site.line);
  block->drop();
}

TEST(ReasonBlock, WithoutMemoryItLacksOnlyItsText) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const fail_allocation_at no_memory(1, failing_threads::caller, failing_times::from_there_on);
  const reason_block* const block = make(a_long_text);
  EXPECT_TRUE(no_memory.reached());
  EXPECT_EQ(block->kind(), cancel_kind::deadline);
  EXPECT_EQ(block->text(), "");
  EXPECT_EQ(block->by(), task_id{7});
  EXPECT_EQ(block->where().line, a_site.line);
  block->drop();
}

TEST(ReasonBlock, WithoutMemoryAndWithAFullStoreItKeepsItsKind) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const full_store full;
  const fail_allocation_at no_memory(1, failing_threads::caller, failing_times::from_there_on);
  for (const std::string_view text : {std::string_view(), std::string_view(a_long_text)}) {
    const reason_block* const block = make(text);
    EXPECT_EQ(block, reason_block::immortal(cancel_kind::deadline));
    EXPECT_EQ(block->kind(), cancel_kind::deadline);
    EXPECT_EQ(block->by(), task_id::none);
    block->drop();
  }
}

TEST(ReasonBlock, EveryKindHasAnImmortalBodyThatNobodyCounts) {
  for (const cancel_kind kind : {cancel_kind::requested, cancel_kind::deadline,
                                 cancel_kind::sibling_failed, cancel_kind::parent_cancelled,
                                 cancel_kind::shutdown, cancel_kind::fatal, cancel_kind::misuse}) {
    const reason_block* const block = reason_block::immortal(kind);
    for (int i = 0; i != 3; ++i) {
      block->drop();
    }
    EXPECT_EQ(block->kind(), kind);
    EXPECT_EQ(block->text(), "");
    EXPECT_EQ(reason_block::immortal(kind), block);
  }
}

// CR2: places go from thread to thread, and each belongs to one at a time. A text says who wrote
// it.
TEST(ReasonBlock, PlacesOfTheStoreAreHandedFromThreadToThread) {
  std::atomic<int> mixed_up{0};
  {
    std::vector<std::jthread> threads;
    for (char name = 'a'; name != 'e'; ++name) {
      threads.emplace_back([&mixed_up, name] {
        const std::string text(60, name);
        for (int i = 0; i != 5'000; ++i) {
          const reason_block* const first = make(text);
          const reason_block* const second = make(text);
          mixed_up += first == second || first->text() != text || second->text() != text;
          first->drop();
          second->drop();
        }
      });
    }
  }
  EXPECT_EQ(mixed_up, 0);
}

TEST(ReasonSlot, IsEmptyUntilTheFirstOffer) {
  const reason_slot slot;
  EXPECT_EQ(slot.get(), nullptr);
}

TEST(ReasonSlot, KeepsTheFirstOfferAndDropsTheOthers) {
  const std::size_t before = live_allocations();
  {
    reason_slot slot;
    EXPECT_TRUE(slot.offer(make(a_long_text + "first")));
    EXPECT_FALSE(slot.offer(make(a_long_text + "second")));
    EXPECT_EQ(slot.get()->text(), a_long_text + "first");
  }
  EXPECT_EQ(live_allocations(), before);
}

TEST(ReasonSlot, TakesAnOfferWithoutAllocating) {
  const reason_block* const made = make(a_long_text);
  const std::size_t before = allocations();
  reason_slot slot;
  slot.offer(made);
  slot.offer(reason_block::immortal(cancel_kind::shutdown));
  EXPECT_EQ(allocations(), before);
}

// CR1: of many offers at once one is kept, and a reader finds all of it.
TEST(ReasonSlot, OfManyOffersAtOnceOneIsKept) {
  constexpr int rounds = 300;
  constexpr int threads_offering = 3;
  for (int round = 0; round != rounds; ++round) {
    reason_slot slot;
    std::atomic<int> kept{0};
    std::atomic<int> torn{0};
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i != threads_offering; ++i) {
        threads.emplace_back([&] { kept += slot.offer(make(a_long_text)); });
      }
      threads.emplace_back([&] {
        const reason_block* seen = nullptr;
        while ((seen = slot.get()) == nullptr) {
          std::this_thread::yield();
        }
        torn += seen->text() != a_long_text || seen->by() != task_id{7};
      });
    }
    ASSERT_EQ(kept, 1);
    ASSERT_EQ(torn, 0);
  }
}

}  // namespace
}  // namespace coppice::detail
