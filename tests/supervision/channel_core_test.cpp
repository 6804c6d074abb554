// Whatever an item is: nothing of it is lost, nothing happens twice.
#include <coppice/channel.h>
#include <coppice/detail/channel_core.h>
#include <coppice/group.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "tests/support/tree_test.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class ChannelItems : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, ChannelItems, testing::Values(1, 2, 4));

// Counts how many of its kind live, and fails to move when it is told to.
class fragile {
 public:
  explicit fragile(int of) : value(of) { ++live; }
  fragile(fragile&& other) : value(other.value) {  // NOLINT(performance-noexcept-move-constructor)
    if (other.value >= 0 && other.value == breaks) {
      breaks = -1;
      throw std::runtime_error("broken");
    }
    other.value = -1;
    ++live;
  }
  fragile& operator=(fragile&&) = delete;
  ~fragile() { --live; }

  int value;

  inline static std::atomic<int> live{0};
  inline static std::atomic<int> breaks{-1};  // The next to be moved that has this value.
};

static_assert(!lies_in_ring<fragile> && lies_in_ring<int> && lies_in_ring<void*>);
static_assert(!lies_in_ring<std::unique_ptr<int>>);

TEST_P(ChannelItems, MayBeMovedOnlyLargeOrOverAligned) {
  struct alignas(64) wide {
    std::array<long, 40> content;
  };
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{2}}) {
      channel<std::unique_ptr<int>> owned(capacity);
      channel<std::shared_ptr<wide>> shared(capacity);
      channel<wide> whole(capacity);
      const auto sends = [&]() -> task<> {
        for (int i = 0; i != 10; ++i) {
          co_await owned.send(std::make_unique<int>(i));
          co_await shared.send(std::make_shared<wide>(wide{{i}}));
          wide each{{i}};
          co_await whole.send(moved(each));
        }
      };
      const task_handle<> sender = spawn(sends);
      for (int i = 0; i != 10; ++i) {
        const auto first = co_await owned.receive();
        EXPECT_EQ(**first, i);
        const auto second = co_await shared.receive();
        EXPECT_EQ((*second)->content[0], i);
        const auto third = co_await whole.receive();
        EXPECT_EQ(third->content[0], i);
      }
      co_await sender;
    }
  });
}

TEST_P(ChannelItems, AreDestroyedOnceWhateverBecomesOfThem) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    for (const std::size_t capacity : {std::size_t{0}, std::size_t{2}, SIZE_MAX}) {
      channel<fragile> items(capacity);
      for (int i = 0; i != 3; ++i) {
        static_cast<void>(co_await move_on_after(1s, items.send(fragile(i))));
      }
      EXPECT_EQ(fragile::live.load(), static_cast<int>(items.size()));
      {
        static_cast<void>(items.send(fragile(9)));
      }  // Never awaited.
      EXPECT_FALSE(items.try_send(fragile(9)) && capacity != SIZE_MAX);
      if (const auto one = items.try_receive()) {
        EXPECT_EQ(one->value, 0);
      }
    }
    EXPECT_EQ(fragile::live.load(), 0);
  });
}

TEST_P(ChannelItems, OneThatCannotBeMovedWhenItIsSentStaysWithItsSender) {
  channel<fragile> items(1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    fragile one(7);
    fragile::breaks = 7;
    EXPECT_THROW(static_cast<void>(items.try_send(std::move(one))), std::runtime_error);
    fragile::breaks = 7;
    EXPECT_THROW(co_await items.send(moved(one)), std::runtime_error);
    EXPECT_EQ(items.size(), 0u);
    EXPECT_EQ(one.value, 7);
    co_await items.send(moved(one));
    EXPECT_EQ(one.value, -1);
    EXPECT_EQ(items.try_receive()->value, 7);
  });
  EXPECT_EQ(fragile::live.load(), 0);
}

// Neither of the other side is concerned, nor who waits behind.
TEST_P(ChannelItems, OneThatCannotBeMovedWhenItIsTakenIsItsSendersFailure) {
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}}) {
    channel<fragile> items(capacity);
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      const auto sends = [&](int n) -> task<> {
        fragile one(n);
        co_await items.send(moved(one));
      };
      if (capacity == 1) {
        co_await items.send(fragile(1));
      }
      const task_handle<> broken = spawn(sends, 2);
      co_await wait_all_tasks_blocked();
      const task_handle<> sound = spawn(sends, 3);
      co_await wait_all_tasks_blocked();
      fragile::breaks = 2;
      const int first = (co_await items.receive())->value;
      EXPECT_EQ(first, capacity == 1 ? 1 : 3);
      EXPECT_THROW(co_await broken, std::runtime_error);
      co_await sound;
      if (capacity == 1) {
        EXPECT_EQ(items.try_receive()->value, 3);
      }
    });
  }
  EXPECT_EQ(fragile::live.load(), 0);
}

TEST_P(ChannelItems, AReceiverThatWaitsIsNotConcernedByASendThatThrows) {
  channel<fragile> items;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<int> receiver = spawn([&]() -> task<int> {
      const auto one = co_await items.receive();
      co_return one->value;
    });
    co_await wait_all_tasks_blocked();
    fragile one(4);
    fragile::breaks = 4;
    EXPECT_THROW(co_await items.send(moved(one)), std::runtime_error);
    EXPECT_FALSE(receiver.done());
    co_await items.send(moved(one));
    EXPECT_EQ(co_await receiver, 4);
  });
  EXPECT_EQ(fragile::live.load(), 0);
}

TEST_P(ChannelItems, OneThatCannotBeMovedOutIsTheReceiversFailure) {
  channel<fragile> items(2);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await items.send(fragile(1));
    co_await items.send(fragile(2));
    fragile::breaks = 1;
    EXPECT_THROW(co_await items.receive(), std::runtime_error);
    EXPECT_EQ((co_await items.receive())->value, 2);
  });
  EXPECT_EQ(fragile::live.load(), 0);
}

TEST_P(ChannelItems, OneWhoseMoveMayThrowIsUntouchedIfItsSendIsStopped) {
  channel<fragile> items;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    fragile one(5);
    EXPECT_FALSE(co_await move_on_after(1s, items.send(moved(one))));
    EXPECT_EQ(one.value, 5);
    items.close();
    EXPECT_THROW(co_await items.send(moved(one)), channel_closed);
    EXPECT_EQ(one.value, 5);
  });
}

// Copied when it is moved, so that each copy is a whole one.
class curious {
 public:
  explicit curious(channel<curious>& of) : of_(of) {}
  curious(const curious&) = default;
  curious& operator=(const curious&) = delete;
  ~curious() {
    if (asks) {
      seen += of_.size() + of_.capacity();
      static_cast<void>(of_.try_receive());
      of_.close();
    }
  }

  inline static bool asks = true;
  inline static std::atomic<std::size_t> seen{0};

 private:
  channel<curious>& of_;
};

TEST_P(ChannelItems, MayUseTheChannelWhenTheyAreDestroyed) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    for (const std::size_t capacity : {std::size_t{1}, std::size_t{2}, SIZE_MAX}) {
      channel<curious> items(capacity);
      {
        const curious one(items);
        EXPECT_TRUE(items.try_send(one));
      }
      EXPECT_TRUE(items.closed());
      EXPECT_EQ(items.size(), 0u);
      channel<curious> others(capacity);
      const curious kept(others);
      co_await others.send(kept);
      {
        const auto received = co_await others.receive();
        EXPECT_TRUE(received);
      }
      EXPECT_TRUE(others.closed());
    }
    channel<curious> direct;
    curious one(direct);
    const task_handle<> sender = spawn([&]() -> task<> { co_await direct.send(moved(one)); });
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(direct.try_receive());
    EXPECT_TRUE(direct.closed());
    co_await sender;
  });
}

TEST(ChannelItemsLeft, MayUseTheChannelThatGoes) {
  std::optional<channel<curious>> items(std::in_place, 4);
  curious::asks = false;
  {
    const curious one(*items);
    EXPECT_TRUE(items->try_send(one));
    EXPECT_TRUE(items->try_send(one));
  }
  curious::asks = true;
  const std::size_t before = curious::seen;
  items.reset();
  EXPECT_GT(curious::seen, before);
}

}  // namespace
}  // namespace coppice::detail
