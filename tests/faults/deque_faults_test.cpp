#include <coppice/detail/deque.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <new>

#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::for_each_failing_allocation;
using testing_support::spare_allocations;

struct item {};
std::array<item, 8> storage;

// A ring of four, and full; only the first item is public.
std::unique_ptr<deque<item>> full_deque() {
  const spare_allocations spared;
  auto items = std::make_unique<deque<item>>(4);
  EXPECT_TRUE(items->push(&storage[0]));
  for (std::size_t i = 1; i != 4; ++i) {
    EXPECT_FALSE(items->push(&storage[i]));
  }
  return items;
}

void expect_items(deque<item>& items, std::size_t n) {
  EXPECT_EQ(items.size(), n);
  EXPECT_EQ(items.steal(), &storage[0]);
  EXPECT_EQ(items.steal(), nullptr);
  while (--n != 0) {
    EXPECT_EQ(items.pop(), &storage[n]);
  }
  EXPECT_EQ(items.pop(), nullptr);
}

class DequeWithoutMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_fail_allocations()) {
      GTEST_SKIP() << testing_support::why_none_can_fail;
    }
  }
};

TEST_F(DequeWithoutMemory, CannotBeMade) {
  const auto scenario = [](fail_allocation_at& failure) {
    try {
      const deque<item> items(4);
      EXPECT_FALSE(failure.reached());
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(failure.reached());
    }
  };
  EXPECT_GT(for_each_failing_allocation(scenario), 0u);
}

TEST_F(DequeWithoutMemory, PushThrowsAndChangesNothing) {
  const auto scenario = [](fail_allocation_at& failure) {
    const auto items = full_deque();
    try {
      EXPECT_FALSE(items->push(&storage[4]));
      EXPECT_FALSE(failure.reached());
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(failure.reached());
    }
    expect_items(*items, failure.reached() ? 4 : 5);
  };
  EXPECT_GT(for_each_failing_allocation(scenario), 0u);
}

TEST_F(DequeWithoutMemory, TryPushSaysSoAndChangesNothing) {
  const auto scenario = [](fail_allocation_at& failure) {
    const auto items = full_deque();
    const push_result result = items->try_push(&storage[4]);
    EXPECT_EQ(result, failure.reached() ? push_result::full : push_result::kept);
    expect_items(*items, failure.reached() ? 4 : 5);
  };
  EXPECT_GT(for_each_failing_allocation(scenario), 0u);
}

TEST_F(DequeWithoutMemory, PushOfManyThrowsAndChangesNothing) {
  const auto scenario = [](fail_allocation_at& failure) {
    const auto items = full_deque();
    try {
      EXPECT_FALSE(items->push_n(4, [](std::size_t i) noexcept { return &storage[4 + i]; }));
      EXPECT_FALSE(failure.reached());
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(failure.reached());
    }
    expect_items(*items, failure.reached() ? 4 : 8);
  };
  EXPECT_GT(for_each_failing_allocation(scenario), 0u);
}

TEST_F(DequeWithoutMemory, GrowsOnceThereIsMemoryAgain) {
  const auto items = full_deque();
  {
    const fail_allocation_at failure(1);
    EXPECT_EQ(items->try_push(&storage[4]), push_result::full);
  }
  EXPECT_EQ(items->try_push(&storage[4]), push_result::kept);
  expect_items(*items, 5);
}

}  // namespace
}  // namespace coppice::detail
