#include <coppice/detail/frame_cache.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/failing_new.h"
#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::rounds;

constexpr std::size_t pooled_at_most = frame_cache::class_count * frame_cache::class_bytes;

// Where a sanitizer must see each block, every block is a large one.
bool pools() {
  static const bool answer = [] {
    frame_cache cache;
    void* const block = cache.allocate(64);
    const bool held = cache.held_bytes() != 0;
    cache.deallocate(block, 64);
    cache.trim(0);
    return held;
  }();
  return answer;
}

class FrameCache : public testing::Test {
 protected:
  void SetUp() override {
    if (!pools()) {
      GTEST_SKIP() << "this build leaves every block to operator new";
    }
  }

  ~FrameCache() override {
    EXPECT_EQ(cache_.live_blocks(), 0u);
    cache_.trim(0);
    EXPECT_EQ(cache_.held_bytes(), 0u);
  }

  // So many blocks, in the order in which they came.
  std::vector<void*> take(std::size_t count, std::size_t bytes = 64) {
    std::vector<void*> blocks;
    std::generate_n(std::back_inserter(blocks), count, [&] { return cache_.allocate(bytes); });
    return blocks;
  }

  void give(const std::vector<void*>& blocks, std::size_t bytes = 64) {
    for (void* each : blocks) {
      cache_.deallocate(each, bytes);
    }
  }

  frame_cache cache_;
};

constexpr std::size_t blocks_in_slab = (frame_slab::size - frame_slab::header_bytes) / 64;

TEST_F(FrameCache, GivesTheSameBlockAgain) {
  void* const block = cache_.allocate(100);
  cache_.deallocate(block, 100);
  EXPECT_EQ(cache_.allocate(100), block);
  cache_.deallocate(block, 100);
}

TEST_F(FrameCache, GivesTheLatestBlockFirst) {
  const std::vector<void*> blocks = take(2);
  give(blocks);
  EXPECT_EQ(take(2), (std::vector{blocks[1], blocks[0]}));
  give(blocks);
}

TEST_F(FrameCache, SizesOfOneClassShareTheirBlocks) {
  void* const block = cache_.allocate(65);
  cache_.deallocate(block, 65);
  EXPECT_EQ(cache_.allocate(128), block);
  cache_.deallocate(block, 128);
  void* const other = cache_.allocate(129);
  EXPECT_NE(other, block);
  cache_.deallocate(other, 129);
}

TEST_F(FrameCache, BlocksAreApartAndAlignedForEverySize) {
  for (std::size_t bytes = 1; bytes <= pooled_at_most; bytes += 61) {
    const std::vector<void*> blocks = take(70, bytes);
    std::vector<std::uintptr_t> addresses;
    for (void* each : blocks) {
      addresses.push_back(reinterpret_cast<std::uintptr_t>(each));
      EXPECT_EQ(addresses.back() % 64, 0u);
      EXPECT_EQ(frame_slab::of(each)->owner, &cache_);
      std::fill_n(static_cast<unsigned char*>(each), bytes, static_cast<unsigned char>(0xAB));
    }
    std::sort(addresses.begin(), addresses.end());
    for (std::size_t i = 1; i != addresses.size(); ++i) {
      EXPECT_GE(addresses[i] - addresses[i - 1], bytes);
    }
    give(blocks, bytes);
  }
}

TEST_F(FrameCache, CutsBlocksInOrderOfAddress) {
  const std::vector<void*> blocks = take(blocks_in_slab);
  EXPECT_TRUE(std::is_sorted(blocks.begin(), blocks.end()));
  EXPECT_EQ(cache_.held_bytes(), frame_slab::size);
  give(blocks);
}

TEST_F(FrameCache, IsInOrderOfAddressAgainBehindATrim) {
  std::vector<void*> blocks = take(blocks_in_slab);
  std::reverse(blocks.begin() + 100, blocks.begin() + 200);
  give(blocks);
  cache_.trim(frame_slab::size);
  EXPECT_EQ(cache_.held_bytes(), frame_slab::size);
  blocks = take(blocks_in_slab);
  EXPECT_TRUE(std::is_sorted(blocks.begin(), blocks.end()));
  give(blocks);
}

TEST_F(FrameCache, CountsTheBlocksThatAreOut) {
  EXPECT_EQ(cache_.live_blocks(), 0u);
  const std::vector<void*> small = take(10);
  const std::vector<void*> big = take(5, pooled_at_most);
  EXPECT_EQ(cache_.live_blocks(), 15u);
  give(small);
  EXPECT_EQ(cache_.live_blocks(), 5u);
  give(big, pooled_at_most);
}

TEST_F(FrameCache, ASlabServesAnotherSizeWhenItIsEmpty) {
  give(take(blocks_in_slab));
  cache_.trim(frame_slab::size);
  give(take(10, 1000), 1000);
  EXPECT_EQ(cache_.held_bytes(), frame_slab::size);
}

TEST_F(FrameCache, TrimKeepsNoMoreThanItIsTold) {
  give(take(10 * blocks_in_slab));
  EXPECT_EQ(cache_.held_bytes(), 10 * frame_slab::size);
  cache_.trim(3 * frame_slab::size + 1);
  EXPECT_EQ(cache_.held_bytes(), 3 * frame_slab::size);
  cache_.trim(frame_slab::size - 1);
  EXPECT_EQ(cache_.held_bytes(), 0u);
}

TEST_F(FrameCache, TrimLeavesSlabsWithALiveBlock) {
  std::vector<void*> blocks = take(4 * blocks_in_slab);
  void* const live = blocks[2 * blocks_in_slab + 7];
  blocks.erase(blocks.begin() + 2 * blocks_in_slab + 7);
  give(blocks);
  cache_.trim(0);
  EXPECT_EQ(cache_.held_bytes(), frame_slab::size);
  EXPECT_EQ(cache_.live_blocks(), 1u);
  give(take(blocks_in_slab - 1));  // All but the live one come from its slab.
  EXPECT_EQ(cache_.held_bytes(), frame_slab::size);
  give({live});
}

// What lives counts as kept: else a cache could hold twice its cap for ever.
TEST_F(FrameCache, TrimCountsSlabsInUseAsKept) {
  std::vector<void*> blocks = take(4 * blocks_in_slab);
  void* const live = blocks.front();
  blocks.erase(blocks.begin());
  give(blocks);
  cache_.trim(2 * frame_slab::size);
  EXPECT_EQ(cache_.held_bytes(), 2 * frame_slab::size);
  give({live});
}

TEST_F(FrameCache, BlocksOfOthersComeHomeInBatches) {
  frame_cache other;
  const std::vector<void*> blocks = take(2 * blocks_in_slab);
  for (void* each : blocks) {
    other.deallocate(each, 64);
  }
  EXPECT_EQ(other.held_bytes(), 0u);
  other.flush();
  EXPECT_EQ(cache_.live_blocks(), 0u);
  std::vector<void*> again = take(2 * blocks_in_slab);
  EXPECT_EQ(std::set(again.begin(), again.end()), std::set(blocks.begin(), blocks.end()));
  EXPECT_EQ(cache_.held_bytes(), 2 * frame_slab::size);
  give(again);
}

TEST_F(FrameCache, BlocksOfSeveralOthersAndSizesFindTheirHomes) {
  frame_cache second;
  frame_cache other;
  for (int i = 0; i != 200; ++i) {
    const std::size_t bytes = 64 * (1 + static_cast<std::size_t>(i) % 7);
    other.deallocate((i % 3 == 0 ? second : cache_).allocate(bytes), bytes);
  }
  other.flush();
  EXPECT_EQ(cache_.live_blocks(), 0u);
  EXPECT_EQ(second.live_blocks(), 0u);
  second.trim(0);
}

TEST_F(FrameCache, ForeignThreadsHaveOneOfTheirOwn) {
  const std::size_t before = frame_cache::live_foreign_blocks();
  void* const foreign = frame_cache::allocate_foreign(100);
  EXPECT_EQ(frame_cache::live_foreign_blocks(), before + 1);
  cache_.deallocate(foreign, 100);
  cache_.flush();
  EXPECT_EQ(frame_cache::live_foreign_blocks(), before);
  void* const mine = cache_.allocate(100);
  frame_cache::deallocate_foreign(mine, 100);
  EXPECT_EQ(cache_.live_blocks(), 0u);
}

TEST_F(FrameCache, WithoutMemoryForASlabIsAsItWas) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const std::vector<void*> blocks = take(blocks_in_slab);
  for (int i = 0; i != 2; ++i) {
    const fail_allocation_at no_memory(1, failing_threads::caller);
    EXPECT_THROW(static_cast<void>(cache_.allocate(64)), std::bad_alloc);
    EXPECT_EQ(cache_.held_bytes(), frame_slab::size);
  }
  EXPECT_EQ(cache_.live_blocks(), blocks_in_slab);
  give(take(1));
  give(blocks);
}

TEST_F(FrameCache, PassesFromOneOwnerToTheNext) {
  frame_cache& owned = frame_cache::acquire();
  void* const outlives = owned.allocate(64);
  owned.deallocate(owned.allocate(5'000'000), 5'000'000);
  frame_cache::release(owned);
  frame_cache::deallocate_foreign(outlives, 64);  // Nobody owns its home.
  frame_cache& again = frame_cache::acquire();
  EXPECT_EQ(&again, &owned);
  EXPECT_EQ(again.live_blocks(), 0u);
  frame_cache::release(again);
}

TEST_F(FrameCache, TakesAPooledBlockBackWithoutItsSize) {
  EXPECT_TRUE(cache_.pooled());
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{1'000}, pooled_at_most}) {
    void* const block = cache_.allocate(bytes);
    cache_.deallocate_pooled(block);
    EXPECT_EQ(cache_.allocate(bytes), block);
    frame_cache other;
    other.deallocate_pooled(block);
    other.flush();
    EXPECT_EQ(cache_.live_blocks(), 0u);
  }
  const std::size_t large = frame_cache::live_large_blocks();
  cache_.deallocate_pooled(cache_.allocate(pooled_at_most + 1));
  EXPECT_EQ(frame_cache::live_large_blocks(), large);
}

// Cells are blocks whose life a frame's is not to be mistaken for.
TEST_F(FrameCache, TellsCellsFromFrames) {
  void* const cell = cache_.allocate(100);
  void* const frame = cache_.allocate(100);
  const frame_cache::cell_place place = frame_cache::cells_of(cell, 100, &cache_);
  EXPECT_TRUE(place.own);
  place.count->change(place.own, 1);
  EXPECT_EQ(cache_.live_blocks(), 2u);
  EXPECT_EQ(cache_.live_frames(), 1u);
  const frame_cache::cell_place elsewhere = frame_cache::cells_of(cell, 100, nullptr);
  EXPECT_FALSE(elsewhere.own);
  elsewhere.count->change(elsewhere.own, -1);
  EXPECT_EQ(cache_.live_frames(), 2u);
  give({cell, frame});
}

// F1: what its user wrote into a block is behind whoever gets it next.
TEST_F(FrameCache, BlocksTravelBetweenOwnersAndComeBackWhole) {
  constexpr std::size_t in_flight = 100;
  std::vector<std::atomic<void*>> shelf(in_flight);
  std::jthread other([&] {
    frame_cache& mine = frame_cache::acquire();
    for (long i = 0; i != rounds(10'000'000, 20'000); ++i) {
      void* block = nullptr;
      while ((block = shelf[static_cast<std::size_t>(i) % in_flight].exchange(nullptr)) ==
             nullptr) {
        std::this_thread::yield();
      }
      *static_cast<long*>(block) += 1;
      mine.deallocate(block, sizeof(long));
    }
    mine.flush();
    frame_cache::release(mine);
  });
  for (long i = 0; i != rounds(10'000'000, 20'000); ++i) {
    auto* const block = static_cast<long*>(cache_.allocate(sizeof(long)));
    *block = i;
    void* empty = nullptr;
    while (!shelf[static_cast<std::size_t>(i) % in_flight].compare_exchange_weak(empty, block)) {
      empty = nullptr;
      std::this_thread::yield();
    }
  }
  other.join();
  EXPECT_EQ(cache_.live_blocks(), 0u);
  EXPECT_LE(cache_.held_bytes(), frame_slab::size);  // They were used again and again.
}

// ---- Beyond the classes, in every build ------------------------------------------------------------

TEST(FrameCacheLarge, ComesFromOperatorNewAndIsCounted) {
  frame_cache cache;
  const std::size_t before = frame_cache::live_large_blocks();
  void* const block = cache.allocate(pooled_at_most + 1);
  void* const foreign = frame_cache::allocate_foreign(pooled_at_most + 1);
  EXPECT_EQ(frame_cache::live_large_blocks(), before + 2);
  EXPECT_EQ(cache.held_bytes(), 0u);
  cache.deallocate(foreign, pooled_at_most + 1);
  frame_cache::deallocate_foreign(block, pooled_at_most + 1);
  EXPECT_EQ(frame_cache::live_large_blocks(), before);
}

TEST(FrameCacheLarge, WithoutMemoryCountsNothing) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  frame_cache cache;
  const std::size_t before = frame_cache::live_large_blocks();
  const fail_allocation_at no_memory(1, failing_threads::caller);
  EXPECT_THROW(static_cast<void>(cache.allocate(pooled_at_most + 1)), std::bad_alloc);
  EXPECT_EQ(frame_cache::live_large_blocks(), before);
}

}  // namespace
}  // namespace coppice::detail
