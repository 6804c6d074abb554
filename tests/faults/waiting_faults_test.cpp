#include <coppice/barrier.h>
#include <coppice/broadcast.h>
#include <coppice/channel.h>
#include <coppice/condition.h>
#include <coppice/event.h>
#include <coppice/group.h>
#include <coppice/latch.h>
#include <coppice/mutex.h>
#include <coppice/select.h>
#include <coppice/semaphore.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string>

#include "tests/support/tree_faults.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::long_name;

class WaitingWithoutMemory : public testing_support::tree_without_memory {};

constexpr int several = 12;

// What a group with that body fails with, so that what it has left can be looked at first; null if it succeeds.
template <class Body>
task<std::exception_ptr> failure_of(const Body& body) {
  std::exception_ptr failure;
  try {
    co_await with_group(body);
  } catch (...) {
    failure = std::current_exception();
  }
  co_return failure;
}

void rethrow(const std::exception_ptr& failure) {
  if (failure != nullptr) {
    std::rethrow_exception(failure);
  }
}

TEST_F(WaitingWithoutMemory, AnEventLetsGoWhoeverCouldWait) {
  survives([]() -> task<> {
    event happened;
    int gone = 0;
    const auto wait = [&]() -> task<> {
      co_await happened.wait();
      ++gone;
    };
    int spawned = 0;
    const auto body = [&](task_group& g) -> task<> {
      for (; spawned != several; ++spawned) {
        g.spawn(wait);
      }
      co_await yield();
      co_await yield();
      happened.set();
    };
    co_await with_group(body);
    EXPECT_EQ(gone, several);
  });
}

TEST_F(WaitingWithoutMemory, ALatchIsCountedDownOnceByEach) {
  survives([]() -> task<> {
    async_latch done(several);
    int arrived = 0;
    const auto arrive = [&]() -> task<> {
      ++arrived;
      co_await done.arrive_and_wait();
    };
    const auto body = [&](task_group& g) -> task<> {
      for (int i = 0; i != several; ++i) {
        g.spawn(arrive);
      }
      co_return;
    };
    co_await with_group(body);
    EXPECT_EQ(arrived, several);
    EXPECT_TRUE(done.try_wait());
  });
}

TEST_F(WaitingWithoutMemory, NoPermitIsLost) {
  survives([]() -> task<> {
    async_semaphore permits(2);
    const auto use = [&]() -> task<> {
      const semaphore_permit permit = co_await permits.acquire();
      const std::string held = long_name;
      co_await yield();
    };
    const auto body = [&](task_group& g) -> task<> {
      for (int i = 0; i != several; ++i) {
        g.spawn(use);
      }
      co_return;
    };
    const std::exception_ptr failure = co_await failure_of(body);
    const semaphore_permit all = permits.try_acquire(2);
    EXPECT_TRUE(all);
    EXPECT_FALSE(permits.try_acquire());
    rethrow(failure);
  });
}

TEST_F(WaitingWithoutMemory, ALockIsFreeInTheEndAndAConditionIsHeard) {
  survives([]() -> task<> {
    async_mutex mutex;
    async_condition changed;
    int turn = 0;
    const auto take_turn = [&](int mine) -> task<> {
      auto lock = co_await mutex.lock();
      const auto my_turn = [&] { return turn == mine; };
      co_await changed.wait(lock, my_turn);
      ++turn;
      changed.notify_all();
    };
    const auto body = [&](task_group& g) -> task<> {
      for (int i = 3; i-- != 0;) {
        g.spawn(take_turn, i);
      }
      co_return;
    };
    const std::exception_ptr failure = co_await failure_of(body);
    EXPECT_TRUE(turn == 3 || failure != nullptr);
    EXPECT_TRUE(mutex.try_lock().owns_lock());
    rethrow(failure);
  });
}

// What was sent and is not received is there to be counted; what could not be sent is its sender's again.
template <std::size_t Capacity>
task<> send_and_receive() {
  channel<std::string> items(Capacity);
  int sent = 0;
  int received = 0;
  const auto send = [&]() -> task<> {
    for (int i = 0; i != several; ++i) {
      std::string item = long_name;
      try {
        co_await items.send(moved(item));
      } catch (const std::bad_alloc&) {
        EXPECT_EQ(item, long_name);
        throw;
      }
      ++sent;
    }
    items.close();
  };
  const auto receive = [&]() -> task<> {
    for (;;) {
      const auto item = co_await items.receive();
      if (!item) {
        co_return;
      }
      EXPECT_EQ(*item, long_name);
      ++received;
    }
  };
  const auto body = [&](task_group& g) -> task<> {
    g.spawn(send);
    g.spawn(receive);
    co_return;
  };
  const std::exception_ptr failure = co_await failure_of(body);
  while (items.try_receive()) {
    ++received;
  }
  EXPECT_EQ(sent, received);
  rethrow(failure);
}

TEST_F(WaitingWithoutMemory, NoItemOfARendezvousIsLost) {
  survives(send_and_receive<0>);
}

TEST_F(WaitingWithoutMemory, NoItemOfABoundedChannelIsLost) {
  survives(send_and_receive<2>);
}

TEST_F(WaitingWithoutMemory, NoItemOfAnUnboundedChannelIsLost) {
  survives(send_and_receive<SIZE_MAX>);
}

TEST_F(WaitingWithoutMemory, AReaderOfABroadcastMissesNothingUntold) {
  survives([]() -> task<> {
    broadcast<std::string> news(4);
    auto reader = news.subscribe();
    int sent = 0;
    try {
      for (; sent != 3; ++sent) {
        news.send(std::string(long_name));
      }
    } catch (const std::bad_alloc&) {
      EXPECT_LT(sent, 3);
    }
    news.close();
    int received = 0;
    for (;;) {
      const auto item = co_await reader.receive();
      if (!item) {
        break;
      }
      ++received;
    }
    EXPECT_EQ(received, sent);
  });
}

TEST_F(WaitingWithoutMemory, ASelectThatThrowsHasConsumedNothing) {
  survives([]() -> task<> {
    channel<int> numbers(1);
    event quit;
    EXPECT_TRUE(numbers.try_send(1));
    for (int i = 0; i != 2; ++i) {
      bool served = false;
      try {
        const auto first = co_await select(numbers.receive(), quit.wait(), sleep_for(1us));
        served = first.index() == 0;
      } catch (const std::bad_alloc&) {
        EXPECT_EQ(numbers.size(), i == 0 ? 1u : 0u);
        throw;
      }
      EXPECT_EQ(served, i == 0);
    }
  });
}

TEST_F(WaitingWithoutMemory, ABarrierOpensForAllOrForNone) {
  survives([]() -> task<> {
    async_barrier round(2);
    int passed = 0;
    const auto take_part = [&]() -> task<> {
      co_await round.arrive_and_wait();
      ++passed;
    };
    const auto body = [&](task_group& g) -> task<> {
      g.spawn(take_part);
      g.spawn(take_part);
      co_return;
    };
    const std::exception_ptr failure = co_await failure_of(body);
    EXPECT_EQ(passed, failure == nullptr ? 2 : 0);
    rethrow(failure);
  });
}

}  // namespace
}  // namespace coppice
