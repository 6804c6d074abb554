#include <coppice/channel.h>
#include <coppice/dump.h>
#include <coppice/group.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::texts;
using testing_support::trace;
using testing_support::tree_test;

constexpr std::size_t unbounded = SIZE_MAX;

class Channel : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, Channel, testing::Values(1, 2, 4));

task<> send_all(channel<int>& to, int first, int last) {
  for (int i = first; i != last; ++i) {
    co_await to.send(i);
  }
}

task<std::vector<int>> drain(channel<int>& from) {
  std::vector<int> all;
  while (auto each = co_await from.receive()) {
    all.push_back(*each);
  }
  co_return all;
}

std::vector<int> count_to(int n) {
  std::vector<int> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

task<> receive_as(channel<int>& from, trace& received, std::string name) {
  const auto one = co_await from.receive();
  received.add(name + (one ? std::to_string(*one) : std::string("-")));
}

task<> send_as(channel<int>& to, trace& sent, int n) {
  co_await to.send(n);
  sent.add(std::to_string(n));
}

TEST_P(Channel, GivesTheItemsOfOneSenderInOrderWhateverItsCapacity) {
  constexpr int many = 1'000;
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{7}, unbounded}) {
    channel<int> items(capacity);
    EXPECT_EQ(items.capacity(), capacity);
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      const auto receiver = spawn(drain, std::ref(items));
      co_await send_all(items, 0, many);
      items.close();
      EXPECT_EQ(co_await receiver, count_to(many));
    });
  }
}

TEST_P(Channel, GivesEachItemOfManySendersToOneOfManyReceivers) {
  constexpr int parties = 4;
  constexpr int many = 500;
  for (const std::size_t capacity : {std::size_t{0}, std::size_t{3}, unbounded}) {
    channel<int> items(capacity);
    std::vector<int> received;
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      std::vector<task_handle<std::vector<int>>> receivers;
      for (int i = 0; i != parties; ++i) {
        receivers.push_back(spawn(drain, std::ref(items)));
      }
      co_await with_group([&](task_group& senders) -> task<> {
        for (int i = 0; i != parties; ++i) {
          senders.spawn(send_all, std::ref(items), i * many, (i + 1) * many);
        }
        co_return;
      });
      items.close();
      for (const auto& each : receivers) {
        const std::vector<int>& some = co_await each;
        received.insert(received.end(), some.begin(), some.end());
      }
    });
    std::sort(received.begin(), received.end());
    EXPECT_EQ(received, count_to(parties * many));
  }
}

TEST_P(Channel, SendWaitsForRoom) {
  channel<int> items(2);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const task_handle<> sender = spawn(send_all, std::ref(items), 0, 3);
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(sender.done());
    EXPECT_EQ(items.size(), 2u);
    EXPECT_EQ(co_await items.receive(), 0);
    co_await sender;
    EXPECT_EQ(items.size(), 2u);
    EXPECT_EQ(items.try_receive(), 1);
    EXPECT_EQ(items.try_receive(), 2);
    EXPECT_EQ(items.try_receive(), std::nullopt);
  });
}

TEST_P(Channel, WithoutCapacityItHandsOverFromTaskToTask) {
  channel<int> items;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_FALSE(items.try_send(1));
    const task_handle<> sender = spawn(send_all, std::ref(items), 0, 1);
    co_await wait_all_tasks_blocked();
    EXPECT_FALSE(sender.done());
    EXPECT_EQ(items.size(), 0u);
    EXPECT_EQ(items.try_receive(), 0);
    co_await sender;
    trace received;
    const task_handle<> receiver = spawn(receive_as, std::ref(items), std::ref(received), "got ");
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(items.try_send(7));
    co_await receiver;
    EXPECT_EQ(received.said(), texts{"got 7"});
  });
}

TEST(ChannelInOrder, WhoHasWaitedLongestIsServedFirst) {
  channel<int> items(1);
  trace said;
  test_runtime rt({.shuffle = false});
  rt.block_on([&]() -> task<> {
    for (const char* name : {"a", "b", "c"}) {
      static_cast<void>(spawn(receive_as, std::ref(items), std::ref(said), std::string(name)));
    }
    co_await wait_all_tasks_blocked();
    co_await send_all(items, 0, 3);
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(said.said(), (texts{"a0", "b1", "c2"}));
    for (int i = 3; i != 7; ++i) {
      static_cast<void>(spawn(send_as, std::ref(items), std::ref(said), i));
    }
    co_await wait_all_tasks_blocked();
    for (int i = 3; i != 7; ++i) {
      EXPECT_EQ(items.try_receive(), i);
      co_await wait_all_tasks_blocked();
    }
  });
  EXPECT_EQ(said.said(), (texts{"a0", "b1", "c2", "3", "4", "5", "6"}));
}

TEST_P(Channel, ClosedItGivesWhatItHasAndThenNothing) {
  channel<int> items(4);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await send_all(items, 0, 3);
    EXPECT_FALSE(items.closed());
    items.close();
    items.close();
    EXPECT_TRUE(items.closed());
    EXPECT_FALSE(items.try_send(9));
    EXPECT_THROW(co_await items.send(9), channel_closed);
    EXPECT_EQ(co_await drain(items), count_to(3));
    EXPECT_EQ(co_await items.receive(), std::nullopt);
    EXPECT_EQ(items.try_receive(), std::nullopt);
  });
}

TEST_P(Channel, CloseWakesWhoWaits) {
  channel<int> items;
  channel<std::unique_ptr<int>> full(1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<std::vector<int>>> receivers;
    for (int i = 0; i != 20; ++i) {
      receivers.push_back(spawn(drain, std::ref(items)));
    }
    co_await full.send(std::make_unique<int>(1));
    auto kept = std::make_unique<int>(2);
    const task_handle<> sender = spawn([&]() -> task<> { co_await full.send(moved(kept)); });
    co_await wait_all_tasks_blocked();
    items.close();
    full.close();
    for (const auto& each : receivers) {
      EXPECT_TRUE((co_await each).empty());
    }
    const outcome<> end = co_await as_result(sender);
    EXPECT_TRUE(end.failed());
    EXPECT_NE(end.entry().get_if<channel_closed>(), nullptr);
    EXPECT_NE(kept, nullptr);
    const auto first = co_await full.receive();
    EXPECT_EQ(**first, 1);
  });
}

TEST_P(Channel, ClosedWithAnErrorItThrowsThatBehindTheLastItem) {
  channel<int> items(2);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    co_await items.send(1);
    items.close(std::make_exception_ptr(std::runtime_error("first")));
    items.close(std::make_exception_ptr(std::runtime_error("second")));
    items.close();
    EXPECT_EQ(co_await items.receive(), 1);
    for (int i = 0; i != 2; ++i) {
      const outcome<std::optional<int>> end = co_await as_result(items.receive());
      EXPECT_EQ(end.entry().message(), "first");
    }
    EXPECT_EQ(items.try_receive(), std::nullopt);
    channel<int> empty;
    const auto waiting = spawn(drain, std::ref(empty));
    co_await wait_all_tasks_blocked();
    empty.close(std::make_exception_ptr(std::runtime_error("third")));
    const auto end = co_await as_result(waiting);
    EXPECT_EQ(end.entry().message(), "third");
  });
}

TEST_P(Channel, AReceiveThatIsStoppedHasTakenNothing) {
  channel<int> items;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    EXPECT_FALSE(co_await move_on_after(1s, items.receive()));
    EXPECT_FALSE(items.try_send(1));
    const task_handle<> sender = spawn(send_all, std::ref(items), 0, 1);
    co_await wait_all_tasks_blocked();
    const auto entered = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await items.receive();
    });
    EXPECT_TRUE(entered.cancelled_caught);
    EXPECT_EQ(items.try_receive(), 0);
    co_await sender;
  });
}

TEST_P(Channel, ASendThatIsStoppedHasSentNothing) {
  channel<std::shared_ptr<int>> items(1);
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const auto first = std::make_shared<int>(1);
    const auto second = std::make_shared<int>(2);
    co_await items.send(first);
    EXPECT_FALSE(co_await move_on_after(1s, items.send(second)));
    EXPECT_EQ(second.use_count(), 1);
    auto kept = second;
    EXPECT_FALSE(co_await move_on_after(1s, items.send(moved(kept))));
    EXPECT_EQ(kept, second);
    const auto entered = co_await with_scope([&](cancel_scope& scope) -> task<> {
      EXPECT_EQ(items.try_receive(), first);
      scope.cancel();
      co_await items.send(moved(kept));
    });
    EXPECT_TRUE(entered.cancelled_caught);
    EXPECT_EQ(kept, second);
    EXPECT_EQ(items.size(), 0u);
    co_await items.send(moved(kept));
    EXPECT_EQ(kept, nullptr);
    EXPECT_EQ(items.try_receive(), second);
  });
}

// The one who is stopped does not keep the place of those behind it.
TEST_P(Channel, WhoIsStoppedInTheMiddleOfALineLeavesIt) {
  channel<int> items;
  trace said;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<>> receivers;
    for (int i = 0; i != 100; ++i) {
      receivers.push_back(spawn(receive_as, std::ref(items), std::ref(said), std::string()));
      co_await wait_all_tasks_blocked();
    }
    for (std::size_t i = 0; i != 100; ++i) {
      if (i % 3 != 0) {
        receivers[i].cancel();
      }
    }
    co_await wait_all_tasks_blocked();
    int sent = 0;
    while (items.try_send(sent)) {
      ++sent;
    }
    EXPECT_EQ(sent, 34);
    co_await wait_all_tasks_blocked();
  });
  EXPECT_EQ(said.said().size(), 34u);
}

TEST_P(Channel, WhatWasHandedOverIsDeliveredThoughTheReceiverIsStoppedThen) {
  channel<int> items;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    std::optional<int> received;
    const task_handle<> receiver = spawn([&]() -> task<> {
      received = co_await items.receive();
      co_await items.receive();  // Stops here.
      ADD_FAILURE();
    });
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(items.try_send(1));
    receiver.cancel();
    EXPECT_TRUE((co_await as_result(receiver)).failed());  // With task_cancelled.
    EXPECT_EQ(receiver.status(), task_status::cancelled);
    EXPECT_EQ(received, 1);
  });
}

TEST_P(Channel, ASendThatWasTakenIsDoneThoughTheSenderIsStoppedThen) {
  channel<int> items;
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    bool sent = false;
    const task_handle<> sender = spawn([&]() -> task<> {
      co_await items.send(1);
      sent = true;
    });
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(items.try_receive(), 1);
    sender.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(sent);
  });
}

TEST_P(Channel, IsForPlainThreadsToo) {
  constexpr int many = 2'000;
  channel<int> questions(16);
  channel<int> answers(unbounded);
  runtime rt({.threads = GetParam()});
  std::thread plain([&] {
    for (int i = 0; i != many;) {
      if (questions.try_send(i)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
    questions.close();
  });
  rt.block_on([&]() -> task<> {
    while (auto each = co_await questions.receive()) {
      co_await answers.send(*each);
    }
  });
  plain.join();
  EXPECT_EQ(answers.size(), static_cast<std::size_t>(many));
  for (int i = 0; i != many; ++i) {
    EXPECT_EQ(answers.try_receive(), i);
  }
}

TEST(ChannelDump, SaysWhatIsWaitedFor) {
  channel<int> items;
  test_runtime rt;
  rt.block_on([&]() -> task<> {
    const auto receiver = spawn({.name = "consumer"}, drain, std::ref(items));
    co_await wait_all_tasks_blocked();
    std::ostringstream out;
    dump_tasks(out);
    EXPECT_NE(out.str().find("channel.receive"), std::string::npos) << out.str();
    items.close();
    co_await receiver;
  });
}

TEST(ChannelDeathTest, DestroyedWhileSomebodyWaitsThereItEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        test_runtime rt;
        std::optional<channel<int>> items(std::in_place);
        rt.block_on([&]() -> task<> {
          static_cast<void>(spawn([&]() -> task<> { co_await items->receive(); }));
          co_await wait_all_tasks_blocked();
          items.reset();
        });
      },
      "a channel is destroyed while a task waits there");
}

}  // namespace
}  // namespace coppice
