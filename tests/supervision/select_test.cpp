#include <coppice/broadcast.h>
#include <coppice/channel.h>
#include <coppice/dump.h>
#include <coppice/error.h>
#include <coppice/event.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/latch.h>
#include <coppice/mutex.h>
#include <coppice/select.h>
#include <coppice/semaphore.h>
#include <coppice/testing.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <variant>
#include <vector>

#include "tests/support/tree_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing_support::tree_test;

class Select : public tree_test {};

INSTANTIATE_TEST_SUITE_P(Workers, Select, testing::Values(1, 2, 4));

using received = std::optional<int>;

TEST_P(Select, TakesWhatIsReadyAndOfSeveralTheLeftmost) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    channel<int> first(4);
    channel<int> second(4);
    co_await second.send(2);
    auto one = co_await select(first.receive(), second.receive());
    static_assert(std::is_same_v<decltype(one), std::variant<received, received>>);
    EXPECT_EQ(one.index(), 1u);
    EXPECT_EQ(std::get<1>(one), 2);
    co_await first.send(1);
    co_await second.send(3);
    one = co_await select(first.receive(), second.receive());
    EXPECT_EQ(one.index(), 0u);
    EXPECT_EQ(second.size(), 1u);
    const auto sent = co_await select(first.send(7), second.send(8));
    static_assert(std::is_same_v<std::remove_const_t<decltype(sent)>,
                                 std::variant<std::monostate, std::monostate>>);
    EXPECT_EQ(sent.index(), 0u);
    EXPECT_EQ(first.size(), 1u);
    EXPECT_EQ(second.size(), 1u);
    const auto alone = co_await select(first.receive());
    EXPECT_EQ(std::get<0>(alone), 7);
  });
}

TEST_P(Select, WaitsForWhateverComesFirst) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    channel<int> first;
    channel<int> second;
    std::vector<int> seen;
    const task_handle<> selecting = spawn([&]() -> task<> {
      for (int i = 0; i != 4; ++i) {
        const auto one = co_await select(first.receive(), second.receive(), sleep_for(1h));
        seen.push_back(one.index() == 0   ? *std::get<0>(one)
                       : one.index() == 1 ? *std::get<1>(one)
                                          : -1);
      }
    });
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(second.try_send(20));
    EXPECT_FALSE(first.try_send(10));  // It has been served, and stands there no more.
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(first.try_send(11));
    co_await wait_all_tasks_blocked();
    co_await sleep_for(1h);
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(second.try_send(21));
    co_await selecting;
    EXPECT_EQ(seen, (std::vector{20, 11, -1, 21}));
  });
}

TEST_P(Select, TheLosersHaveSentNothingAndTakenNothing) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    channel<std::unique_ptr<int>> out(1);
    channel<int> in(1);
    co_await out.send(std::make_unique<int>(0));
    auto kept = std::make_unique<int>(1);
    auto one = co_await select(out.send(moved(kept)), in.receive(), sleep_for(1s));
    EXPECT_EQ(one.index(), 2u);
    EXPECT_NE(kept, nullptr);
    co_await in.send(5);
    one = co_await select(out.send(moved(kept)), in.receive(), sleep_for(1s));
    EXPECT_EQ(one.index(), 1u);
    EXPECT_NE(kept, nullptr);
    EXPECT_EQ(**out.try_receive(), 0);
    const auto other = co_await select(in.receive(), out.send(moved(kept)), sleep_for(1s));
    EXPECT_EQ(other.index(), 1u);
    EXPECT_EQ(kept, nullptr);
    EXPECT_EQ(in.size(), 0u);
    EXPECT_EQ(**out.try_receive(), 1);
  });
}

TEST_P(Select, OfSeveralTimesTheEarliestAndOfEqualOnesTheLeftmost) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    const time_point before = now();
    auto one = co_await select(sleep_for(3s), sleep_for(1s), sleep_for(2s));
    EXPECT_EQ(one.index(), 1u);
    EXPECT_EQ(now() - before, 1s);
    one = co_await select(sleep_for(3s), sleep_for(1s), sleep_for(1s));
    EXPECT_EQ(one.index(), 1u);
    channel<int> items;
    EXPECT_EQ((co_await select(items.receive(), sleep_for(0s))).index(), 1u);
    EXPECT_EQ((co_await select(items.receive(), yield())).index(), 1u);
    EXPECT_EQ((co_await select(items.receive(), sleep_until(now() - 1s))).index(), 1u);
  });
}

TEST_P(Select, BothSidesOfOneChannelDoNotMeetInOneSelect) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    channel<int> items;
    auto one = co_await select(items.send(1), items.receive(), sleep_for(1s));
    EXPECT_EQ(one.index(), 2u);
    const task_handle<std::size_t> other = spawn([&]() -> task<std::size_t> {
      const auto two = co_await select(items.receive(), items.send(2));
      co_return two.index();
    });
    one = co_await select(items.send(1), items.receive(), sleep_for(1s));
    EXPECT_EQ(one.index(), co_await other == 0 ? 0u : 1u);
    EXPECT_EQ(items.try_receive(), std::nullopt);
  });
}

TEST_P(Select, AClosedChannelIsReady) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    channel<int> items;
    const task_handle<> waiting = spawn([&]() -> task<> {
      const auto one = co_await select(items.receive(), sleep_for(1h));
      EXPECT_EQ(std::get<0>(one), std::nullopt);
    });
    co_await wait_all_tasks_blocked();
    items.close();
    co_await waiting;
    EXPECT_THROW(co_await select(sleep_for(1h), items.send(1)), channel_closed);
    broadcast<int> news(1);
    subscription<int> mine = news.subscribe();
    EXPECT_EQ((co_await select(mine.receive(), sleep_for(1s))).index(), 1u);
    news.send(3);
    EXPECT_EQ(std::get<0>(co_await select(mine.receive(), sleep_for(1s))), 3);
  });
}

TEST_P(Select, StoppedItHasTakenNothing) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    channel<int> items;
    channel<int> others(1);
    const auto both = [&]() -> task<> {
      co_await select(items.receive(), items.send(1), others.receive());
    };
    EXPECT_FALSE(co_await move_on_after(1s, both()));
    EXPECT_FALSE(items.try_send(2));
    EXPECT_EQ(items.try_receive(), std::nullopt);
    co_await others.send(3);
    const auto entered = co_await with_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await both();
    });
    EXPECT_TRUE(entered.cancelled_caught);
    EXPECT_EQ(others.size(), 1u);
  });
}

TEST_P(Select, WhatWasHandedOverIsDeliveredThoughTheTaskIsStoppedThen) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    channel<int> items;
    std::size_t index = 9;
    const task_handle<> selecting = spawn([&]() -> task<> {
      const auto one = co_await select(sleep_for(1h), items.receive());
      index = one.index();
    });
    co_await wait_all_tasks_blocked();
    EXPECT_TRUE(items.try_send(1));
    selecting.cancel();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(index, 1u);
  });
}

TEST_P(Select, IsForWhateverElseTasksWaitAt) {
  test_runtime rt(workers());
  rt.block_on([&]() -> task<> {
    event quit;
    async_semaphore permits(1);
    async_mutex mutex;
    async_latch ready(1);
    {
      auto held = co_await mutex.lock();
      auto one = co_await select(quit.wait(), mutex.lock(), permits.acquire(), ready.wait());
      EXPECT_EQ(one.index(), 2u);
      EXPECT_EQ(permits.available(), 0u);
      const auto waiting = spawn([&]() -> task<std::size_t> {
        const auto got =
            co_await select(quit.wait(), ready.wait(), permits.acquire(), mutex.lock());
        co_return got.index();
      });
      co_await wait_all_tasks_blocked();
      std::get<2>(one).release();
      EXPECT_EQ(co_await waiting, 2u);
    }
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_EQ(permits.available(), 1u);
    const auto both = permits.try_acquire();
    const auto last = spawn([&]() -> task<std::size_t> {
      const auto got = co_await select(permits.acquire(), quit.wait(), ready.wait());
      co_return got.index();
    });
    co_await wait_all_tasks_blocked();
    ready.count_down();
    EXPECT_EQ(co_await last, 2u);
    quit.set();
    EXPECT_EQ((co_await select(permits.acquire(), quit.wait(), ready.wait())).index(), 1u);
    async_latch counted(1);
    EXPECT_THROW(co_await select(quit.wait(), counted.arrive_and_wait()), usage_error);
    EXPECT_FALSE(counted.try_wait());
  });
}

TEST(SelectMisuse, OfWhatIsNoSingleWaitIsRefused) {
  static_assert(!selectable<task<>> && !selectable<task_handle<>> &&
                selectable<decltype(sleep_for(1s))> && !selectable<decltype(sleep_for(1s))&>);
  test_runtime rt;
  rt.block_on([&]() -> task<> {
    channel<int> items(1);
    co_await items.send(1);
    const auto body = [&]() -> task<> { co_return; };
    EXPECT_THROW(co_await select(items.receive(), with_scope(body)), usage_error);
    EXPECT_EQ(items.size(), 1u);
  });
}

TEST(SelectDump, SaysThatItSelects) {
  test_runtime rt;
  rt.block_on([&]() -> task<> {
    channel<int> items;
    const task_handle<> waiting =
        spawn([&]() -> task<> { co_await select(items.receive(), items.send(1)); });
    co_await wait_all_tasks_blocked();
    std::ostringstream out;
    dump_tasks(out);
    EXPECT_NE(out.str().find("select"), std::string::npos) << out.str();
    items.close();
    EXPECT_FALSE((co_await as_result(waiting)).cancelled());
  });
}

}  // namespace
}  // namespace coppice
