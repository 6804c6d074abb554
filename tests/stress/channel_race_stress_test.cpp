// Races of sends and receives with cancel, timeouts, close and plain threads: items in = items out + items returned.
#include <coppice/broadcast.h>
#include <coppice/channel.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/spawn.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/racing.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::dice;
using testing_support::race_test;
using testing_support::rounds;

constexpr long all_rounds = 1'000'000;
constexpr long all_items = 100'000;  // Of plain threads, which can only try again and again.

// An item with a life of its own, which lies in a block in the channel. Numbers lie in the ring itself.
class counted {
 public:
  explicit counted(long n) : number_(n) { live.fetch_add(1); }
  counted(counted&& other) noexcept : number_(std::exchange(other.number_, gone)) {
    live.fetch_add(1);
  }
  counted& operator=(counted&&) = delete;
  ~counted() { live.fetch_sub(1); }

  long number() const noexcept { return number_; }

  static constexpr long gone = -1;
  inline static std::atomic<long> live{0};

 private:
  long number_;
};

long number_of(long n) {
  return n;
}
long number_of(const counted& item) {
  return item.number();
}

// What the tasks saw, each immediately behind its await.
struct ledger {
  std::atomic<long> sent{0};
  std::atomic<long> sent_sum{0};
  std::atomic<long> received{0};
  std::atomic<long> received_sum{0};
  std::atomic<long> returned{0};

  void note_sent(long n) {
    sent.fetch_add(1);
    sent_sum.fetch_add(n);
  }
  void note_received(long n) {
    received.fetch_add(1);
    received_sum.fetch_add(n);
  }
  void expect_exact(long offered) const {
    EXPECT_EQ(sent.load() + returned.load(), offered);
    EXPECT_EQ(sent.load(), received.load());
    EXPECT_EQ(sent_sum.load(), received_sum.load());
    EXPECT_EQ(counted::live.load(), 0);
  }
};

// An item, and what became of it; outlives the task that sends it.
template <class T>
struct offer {
  T item;
  bool sent = false;
};

template <class T>
task<> send_one(channel<T>& to, offer<T>& one, ledger& all) {
  const long n = number_of(one.item);
  try {
    co_await to.send(moved(one.item));
    all.note_sent(n);
    one.sent = true;
  } catch (const channel_closed&) {
  }
}

template <class T>
task<> send_own(channel<T>& to, long n, ledger& all, std::atomic<long>& sent) {
  try {
    co_await to.send(T(n));
    all.note_sent(n);
    sent.fetch_add(1);
  } catch (const channel_closed&) {
  }
}

template <class T>
task<> receive_some(channel<T>& from, unsigned kind, ledger& all) {
  for (unsigned i = 0; i != 1 + kind % 3; ++i) {
    if (kind % 7 == 0) {
      auto limited =
          co_await move_on_after(std::chrono::microseconds(kind / 7 % 20), from.receive());
      if (limited && *limited) {
        all.note_received(number_of(**limited));
      }
    } else if (const auto one = co_await from.receive()) {
      all.note_received(number_of(*one));
    } else {
      co_return;
    }
  }
}

// Cancels some of them, each at some time; or closes the channel under them.
template <class T>
task<> disturb(channel<T>& shared, const std::array<task_handle<>, 6>& all, unsigned kind) {
  for (std::size_t i = 0; i != all.size(); ++i) {
    for (unsigned waits = kind % 5; waits != 0; --waits) {
      co_await yield();
    }
    kind /= 3;
    if (kind % 3 == 0) {
      all[i].cancel();
    }
  }
  shared.close();
}

template <class T>
class ChannelRace : public race_test {
 protected:
  // Three send and three receive, while somebody cancels some of them; in the end the channel is closed.
  task<> play(dice& random, ledger& all) {
    constexpr std::array<std::size_t, 4> capacities{0, 1, 2, SIZE_MAX};
    channel<T> shared(capacities[random() % 4]);
    std::array<offer<T>, 2> offers{offer<T>{T(1)}, offer<T>{T(2)}};
    std::atomic<long> sent{0};
    co_await with_group([&](task_group& g) -> task<> {
      std::array<task_handle<>, 6> handles;
      const bool receivers_first = random() % 2 == 0;
      for (std::size_t i = 0; i != 6; ++i) {
        if ((i < 3) == receivers_first) {
          handles[i] = g.spawn(receive_some<T>, std::ref(shared), random(), std::ref(all));
        } else if (i % 3 != 2) {
          handles[i] =
              g.spawn(send_one<T>, std::ref(shared), std::ref(offers[i % 3]), std::ref(all));
        } else {
          handles[i] = g.spawn(send_own<T>, std::ref(shared), 4L, std::ref(all), std::ref(sent));
        }
      }
      co_await disturb(shared, handles, random());
    });
    for (const offer<T>& each : offers) {
      sent.fetch_add(each.sent ? 1 : 0);
      if constexpr (std::is_same_v<T, counted>) {
        EXPECT_EQ(each.sent, each.item.number() == counted::gone);
      }
    }
    all.returned.fetch_add(3 - sent.load());
    while (const auto left = shared.try_receive()) {
      all.note_received(number_of(*left));
    }
  }
};

using kinds = testing::Types<long, counted>;
TYPED_TEST_SUITE(ChannelRace, kinds);

TYPED_TEST(ChannelRace, SendsAndReceivesAgainstCancelTimeoutAndClose) {
  ledger all;
  runtime rt(this->several_threads());
  const long n = this->run_rounds(rt, rounds(all_rounds),
                                  [&](dice& random) { return this->play(random, all); });
  all.expect_exact(3 * n);
  EXPECT_GT(all.sent.load(), 0);
  EXPECT_GT(all.returned.load(), 0);
}

// Plain threads at both ends, and tasks in the middle that are stopped and replaced again and again.
TYPED_TEST(ChannelRace, PlainThreadsAgainstTasksThatAreStopped) {
  const long many = rounds(all_items);
  channel<TypeParam> in(4);
  channel<TypeParam> out(4);
  ledger all;
  std::thread source([&] {
    for (long i = 1; i <= many; ++i) {
      TypeParam each(i);
      while (!in.try_send(std::move(each))) {
        EXPECT_EQ(number_of(each), i);
        std::this_thread::yield();
      }
    }
    in.close();
  });
  std::thread sink([&] {
    for (;;) {
      const bool last = out.closed();
      EXPECT_LE(in.size(), in.capacity());
      if (const auto one = out.try_receive()) {
        all.note_received(number_of(*one));
      } else if (last) {
        return;
      } else {
        std::this_thread::yield();
      }
    }
  });
  runtime rt(this->several_threads());
  std::atomic<bool> ended{false};
  const auto forward = [&]() -> task<> {
    while (auto one = co_await in.receive()) {
      const long n = number_of(*one);
      bool sent = false;
      while (!sent) {
        // What was received is sent, also by one who is asked to stop.
        sent = co_await shield([&]() -> task<bool> {
          co_await out.send(moved(*one));
          co_return true;
        });
      }
      all.note_sent(n);
    }
    ended.store(true);
  };
  rt.block_on([&]() -> task<> {
    while (!ended.load()) {
      co_await with_group([&](task_group& g) -> task<> {
        for (int i = 0; i != 3; ++i) {
          g.spawn(forward);
        }
        co_await sleep_for(50us);
        g.cancel();
      });
    }
  });
  out.close();
  source.join();
  sink.join();
  all.expect_exact(many);
}

// Each sees what was sent in order, and knows how much it missed, whatever waits of its own were given up.
TEST(BroadcastRace, ReadersWhoseWaitsEndEarlyMissNothingUntold) {
  const long many = rounds(all_items);
  constexpr int parties = 4;
  broadcast<long> news(8);
  std::vector<subscription<long>> all;
  for (int i = 0; i != parties; ++i) {
    all.push_back(news.subscribe());
  }
  std::thread sender([&] {
    for (long i = 1; i <= many; ++i) {
      news.send(i);
      if (i % 16 == 0) {
        std::this_thread::yield();
      }
    }
    news.close();
  });
  runtime rt({.threads = 4});
  const auto follow = [&](subscription<long>& mine) -> task<> {
    long last = 0;
    long received = 0;
    for (;;) {
      const auto one = co_await move_on_after(5us, mine.receive());
      if (!one) {
        continue;
      }
      if (!*one) {
        break;
      }
      EXPECT_GT(**one, last);
      last = **one;
      ++received;
    }
    EXPECT_EQ(received + static_cast<long>(mine.missed()), many);
  };
  rt.block_on([&]() -> task<> {
    co_await with_group([&](task_group& g) -> task<> {
      for (subscription<long>& each : all) {
        g.spawn(follow, std::ref(each));
      }
      co_return;
    });
  });
  sender.join();
}

}  // namespace
}  // namespace coppice
