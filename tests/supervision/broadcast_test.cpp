#include <coppice/broadcast.h>
#include <coppice/error.h>
#include <coppice/group.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class Broadcast : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, Broadcast, testing::Values(1, 2, 4));

task<std::vector<int>> follow(subscription<int>& news) {
  std::vector<int> all;
  while (auto each = co_await news.receive()) {
    all.push_back(*each);
  }
  co_return all;
}

task<std::vector<int>> follow_own(subscription<int> news) {
  co_return co_await follow(news);
}

std::vector<int> numbers(int first, int last) {
  std::vector<int> all;
  for (int i = first; i != last; ++i) {
    all.push_back(i);
  }
  return all;
}

TEST_P(Broadcast, GivesEveryoneWhatWasSentSinceItSubscribed) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    broadcast<int> news(100);
    news.send(0);
    auto early = spawn(follow_own, news.subscribe());
    co_await wait_all_tasks_blocked();
    for (int i = 1; i != 5; ++i) {
      news.send(i);
    }
    subscription<int> later = news.subscribe();
    EXPECT_EQ(news.subscribers(), 2u);
    for (int i = 5; i != 9; ++i) {
      news.send(i);
    }
    news.close();
    EXPECT_EQ(co_await early, numbers(1, 9));
    EXPECT_EQ(co_await follow(later), numbers(5, 9));
    EXPECT_EQ(later.missed(), 0u);
    EXPECT_EQ(news.subscribers(), 1u);
  });
}

TEST_P(Broadcast, ASlowOneLosesTheOldestAndIsToldHowMany) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    broadcast<int> news(3);
    subscription<int> slow = news.subscribe();
    EXPECT_EQ(slow.missed(), 0u);
    for (int i = 0; i != 10; ++i) {
      news.send(i);
    }
    EXPECT_EQ(slow.missed(), 7u);
    EXPECT_EQ(co_await slow.receive(), 7);
    EXPECT_EQ(slow.missed(), 7u);
    for (int i = 10; i != 12; ++i) {
      news.send(i);
    }
    EXPECT_EQ(slow.missed(), 8u);
    EXPECT_EQ(slow.try_receive(), 9);
    EXPECT_EQ(slow.try_receive(), 10);
    EXPECT_EQ(co_await slow.receive(), 11);
    EXPECT_EQ(slow.try_receive(), std::nullopt);
    EXPECT_EQ(slow.missed(), 8u);
  });
}

TEST_P(Broadcast, OutlivedByItsSubscriptionsItIsClosed) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::optional<broadcast<int>> news(2);
    subscription<int> kept = news->subscribe();
    const auto waiting = spawn(follow_own, news->subscribe());
    news->send(1);
    news->close();
    news->close();
    EXPECT_THROW(news->send(2), channel_closed);
    news.reset();
    EXPECT_EQ(co_await waiting, numbers(1, 2));
    EXPECT_EQ(co_await kept.receive(), 1);
    EXPECT_EQ(co_await kept.receive(), std::nullopt);
    EXPECT_EQ(kept.try_receive(), std::nullopt);
  });
}

TEST_P(Broadcast, AReceiveThatIsStoppedHasTakenNothing) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    broadcast<int> news(8);
    subscription<int> mine = news.subscribe();
    EXPECT_FALSE(co_await move_on_after(1s, mine.receive()));
    news.send(1);
    EXPECT_EQ(co_await mine.receive(), 1);
    std::optional<int> received;
    const task_handle<> reader = spawn([&]() -> task<> { received = co_await mine.receive(); });
    co_await wait_all_tasks_blocked();
    news.send(2);
    news.send(3);
    reader.cancel();  // It has been given an item.
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(received, 2);
    EXPECT_EQ(mine.try_receive(), 3);
  });
}

TEST_P(Broadcast, IsForPlainThreadsToo) {
  constexpr int many = 3'000;
  broadcast<int> news(many);
  std::vector<subscription<int>> all;
  for (int i = 0; i != 3; ++i) {
    all.push_back(news.subscribe());
  }
  runtime rt({.threads = GetParam()});
  std::thread sender([&] {
    for (int i = 0; i != many; ++i) {
      news.send(i);
    }
    news.close();
  });
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<std::vector<int>>> readers;
    for (subscription<int>& each : all) {
      readers.push_back(spawn(follow, std::ref(each)));
    }
    for (const auto& each : readers) {
      EXPECT_EQ(co_await each, numbers(0, many));
    }
  });
  sender.join();
}

TEST(BroadcastMisuse, IsRefusedWithAReason) {
  EXPECT_THROW(broadcast<int>(0), usage_error);
  test_runtime rt;
  rt.block_on([&]() -> task<> {
    broadcast<int> news(1);
    subscription<int> mine = news.subscribe();
    const task_handle<> waiting = spawn([&]() -> task<> { co_await mine.receive(); });
    co_await wait_all_tasks_blocked();
    EXPECT_THROW(co_await mine.receive(), usage_error);
    subscription<int> moved_to = std::move(mine);
    EXPECT_THROW(static_cast<void>(mine.receive()),
                 usage_error);  // NOLINT(bugprone-use-after-move)
    EXPECT_THROW(static_cast<void>(mine.try_receive()), usage_error);
    EXPECT_EQ(mine.missed(), 0u);
    news.send(1);  // The one who waits gets it, wherever the subscription lies now.
    co_await waiting;
    mine = std::move(moved_to);
    news.send(2);
    EXPECT_EQ(co_await mine.receive(), 2);
    mine = news.subscribe();
    EXPECT_EQ(news.subscribers(), 1u);
  });
}

// Copied, and destroyed, while nobody holds a lock.
TEST_P(Broadcast, ItemsMayUseItWhenTheyAreCopiedAndDestroyed) {
  struct curious {
    explicit curious(broadcast<curious>& to) : of(&to) {}
    curious(const curious& other) : of(other.of) { static_cast<void>(of->subscribers()); }
    curious& operator=(const curious&) = delete;
    ~curious() { static_cast<void>(of->subscribers()); }

    broadcast<curious>* of;
  };
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    broadcast<curious> news(1);
    subscription<curious> mine = news.subscribe();
    news.send(curious(news));
    news.send(curious(news));
    {
      const auto one = co_await mine.receive();
      EXPECT_EQ(one->of, &news);
    }
    EXPECT_EQ(mine.missed(), 1u);
    news.close();
    {
      const subscription<curious> last = std::move(mine);
    }
  });
}

TEST(BroadcastDeathTest, ASubscriptionThatIsDestroyedWhileSomebodyWaitsEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        broadcast<int> news(1);
        std::optional<subscription<int>> mine(news.subscribe());
        rt.block_on([&]() -> task<> {
          static_cast<void>(spawn([&]() -> task<> { co_await mine->receive(); }));
          co_await wait_all_tasks_blocked();
          mine.reset();
        });
      },
      "a subscription is destroyed while a task waits there");
}

}  // namespace
}  // namespace coppice
