#include <coppice/detail/item_ring.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace coppice::detail {
namespace {

template <class T>
class ItemRing : public testing::Test {};

using kinds = testing::Types<int, std::string>;
TYPED_TEST_SUITE(ItemRing, kinds);

template <class T>
T numbered(std::size_t n) {
  if constexpr (std::is_same_v<T, int>) {
    return static_cast<int>(n);
  } else {
    return "a text that is not short, number " + std::to_string(n);
  }
}

template <class T>
void push(item_ring<T>& ring, std::size_t n) {
  if (ring.size() == ring.room()) {
    const std::size_t room = item_ring<T>::next_room(ring.room(), SIZE_MAX);
    auto memory = item_ring<T>::make(room);
    ring.move_into(memory, room);
  }
  item<T> each;
  each.fill(numbered<T>(n));
  ring.push(each);
}

template <class T>
T pop(item_ring<T>& ring) {
  item<T> each;
  ring.pop(each);
  return std::move(each.value());
}

TYPED_TEST(ItemRing, GivesItemsInTheirOrderWhileItGrowsAndTurns) {
  item_ring<TypeParam> ring;
  std::size_t sent = 0;
  std::size_t received = 0;
  for (std::size_t round = 0; round != 200; ++round) {
    for (std::size_t i = 0; i != round % 23; ++i) {
      push(ring, sent++);
    }
    for (std::size_t i = 0; i != round % 19 && ring.size() != 0; ++i) {
      EXPECT_EQ(pop(ring), numbered<TypeParam>(received++));
    }
    EXPECT_EQ(ring.size(), sent - received);
  }
  EXPECT_GT(ring.room(), 100u);
  while (ring.size() != 0) {
    EXPECT_EQ(pop(ring), numbered<TypeParam>(received++));
  }
  EXPECT_EQ(received, sent);
}

TYPED_TEST(ItemRing, GivesMuchMemoryBackAndKeepsALittle) {
  item_ring<TypeParam> ring;
  push(ring, 0);
  pop(ring);
  EXPECT_EQ(ring.give_up_memory(), nullptr);
  EXPECT_NE(ring.room(), 0u);
  for (std::size_t i = 0; i != 5'000; ++i) {
    push(ring, i);
  }
  for (std::size_t i = 0; i != 5'000; ++i) {
    EXPECT_EQ(pop(ring), numbered<TypeParam>(i));
  }
  EXPECT_NE(ring.give_up_memory(), nullptr);
  EXPECT_EQ(ring.room(), 0u);
  push(ring, 7);
  EXPECT_EQ(pop(ring), numbered<TypeParam>(7));
}

TYPED_TEST(ItemRing, IsPushedToWhileItIsPoppedFrom) {
  constexpr std::size_t room = 8;
  constexpr std::size_t count = 10'000;
  item_ring<TypeParam> ring;
  auto memory = item_ring<TypeParam>::make(room);
  ring.move_into(memory, room);
  std::thread pusher([&] {
    for (std::size_t i = 0; i != count;) {
      item<TypeParam> each;
      each.fill(numbered<TypeParam>(i));
      const std::lock_guard lock(ring.push_end());
      if (ring.has_place()) {
        ring.push(each);
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (std::size_t i = 0; i != count;) {
    const std::lock_guard lock(ring.pop_end());
    if (ring.has_item()) {
      EXPECT_EQ(pop(ring), numbered<TypeParam>(i));
      ++i;
    } else {
      std::this_thread::yield();
    }
  }
  pusher.join();
  EXPECT_EQ(ring.size(), 0u);
}

TYPED_TEST(ItemRing, LetsWhoHasOneEndHaveBoth) {
  item_ring<TypeParam> ring;
  ring.pop_end().lock();
  ring.lock_push_end_too();
  EXPECT_FALSE(ring.push_end().try_lock());
  EXPECT_FALSE(ring.pop_end().try_lock());
  ring.unlock();
  EXPECT_TRUE(ring.push_end().try_lock());
  EXPECT_TRUE(ring.pop_end().try_lock());
  ring.unlock();
}

TEST(ItemRingRoom, GrowsToWhatItMayHoldAndNoFurther) {
  EXPECT_EQ(item_ring<int>::next_room(0, 3), 3u);
  EXPECT_EQ(item_ring<int>::next_room(0, 1'000), 16u);
  EXPECT_EQ(item_ring<int>::next_room(16, 1'000), 32u);
  EXPECT_EQ(item_ring<int>::next_room(512, 1'000), 1'000u);
}

TEST(ItemInABlock, IsDestroyedByWhoeverHasIt) {
  const auto watched = std::make_shared<int>(1);
  {
    item<std::shared_ptr<int>> first;
    first.reserve();
    EXPECT_EQ(watched.use_count(), 1);
    first.fill(watched);
    item<std::shared_ptr<int>> second;
    second.take_from(first);
    EXPECT_EQ(watched.use_count(), 2);
    EXPECT_EQ(second.value(), watched);
  }
  EXPECT_EQ(watched.use_count(), 1);
}

}  // namespace
}  // namespace coppice::detail
