// Races of select(...) with its peers, with cancel and with time: one branch has effect, and no item is lost to another.
#include <coppice/awaiter.h>
#include <coppice/channel.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/select.h>
#include <coppice/spawn.h>
#include <coppice/time.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "tests/support/load.h"
#include "tests/support/racing.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::dice;
using testing_support::race_test;
using testing_support::rounds;

class SelectRace : public race_test {};

constexpr long all_rounds = 1'000'000;

using owned = std::unique_ptr<long>;

struct sums {
  std::atomic<long> sent{0};
  std::atomic<long> received{0};
  std::atomic<long> kept{0};
};

// Sends what it has to one and takes from either, until it has had enough or is stopped. Its item lies with the caller.
task<> trade(channel<owned>& one, channel<owned>& other, owned& mine, unsigned kind, sums& all) {
  const long n = *mine;
  for (unsigned i = 0; i != 3; ++i) {
    if (mine == nullptr) {
      const auto got = co_await select(other.receive(), one.receive(), yield());
      if (got.index() != 2) {
        const auto& item = got.index() == 0 ? std::get<0>(got) : std::get<1>(got);
        all.received.fetch_add(item ? **item : 0);
      }
      continue;
    }
    const auto limit = std::chrono::microseconds(kind % 16);
    const auto did = co_await select(one.send(moved(mine)), other.receive(),
                                     other.send(moved(mine)), sleep_for(limit));
    if (did.index() == 0 || did.index() == 2) {
      EXPECT_EQ(mine, nullptr);
      all.sent.fetch_add(n);
    } else {
      EXPECT_NE(mine, nullptr);
      if (did.index() == 1) {
        all.received.fetch_add(**std::get<1>(did));
      }
    }
  }
}

TEST_F(SelectRace, SendsAndReceivesOfManyAgainstCancelAndTime) {
  sums all;
  const round each = [&](dice& random) -> task<> {
    channel<owned> one(random() % 3);
    channel<owned> other(random() % 2);
    std::array<owned, 4> items;
    for (std::size_t i = 0; i != items.size(); ++i) {
      items[i] = std::make_unique<long>(1L << (8 * i));
    }
    co_await with_group([&](task_group& g) -> task<> {
      std::array<task_handle<>, 4> handles;
      for (std::size_t i = 0; i != items.size(); ++i) {
        handles[i] =
            g.spawn(trade, std::ref(i % 2 == 0 ? one : other), std::ref(i % 2 == 0 ? other : one),
                    std::ref(items[i]), random(), std::ref(all));
      }
      for (unsigned waits = random() % 6; waits != 0; --waits) {
        co_await yield();
      }
      handles[random() % 4].cancel();
      if (random() % 4 == 0) {
        g.cancel();
      }
    });
    for (channel<owned>* left : {&one, &other}) {
      while (const auto item = left->try_receive()) {
        all.received.fetch_add(**item);
      }
    }
    for (std::size_t i = 0; i != items.size(); ++i) {
      if (items[i] != nullptr) {
        all.kept.fetch_add(1L << (8 * i));
      }
    }
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(all.sent.load(), all.received.load());
  EXPECT_EQ(all.sent.load() + all.kept.load(), n * 0x01010101L);
}

// Ended by another task, or as it is asked to, whichever comes first.
class contested {
 public:
  using value_type = int;

  void start(completion<int> done) {
    const std::lock_guard lock(mutex_);
    done_ = std::move(done);
  }
  void cancel() noexcept { other_end().stopped(); }

  // Completes nothing before the start.
  completion<int> other_end() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  mutable std::mutex mutex_;
  completion<int> done_;
};

TEST_F(SelectRace, APerformedOperationAgainstAnItemTimeAndCancel) {
  std::atomic<long> given{0};
  std::atomic<long> taken{0};
  std::atomic<long> performed{0};
  std::atomic<long> ended{0};
  const round each = [&](dice& random) -> task<> {
    channel<int> items;
    contested shared;
    std::atomic<bool> selects{false};
    co_await with_group([&](task_group& g) -> task<> {
      const unsigned kind = random();
      const task_handle<> selecting = g.spawn([&, kind]() -> task<> {
        selects.store(true);
        const auto one = co_await select(items.receive(), perform(shared),
                                         sleep_for(std::chrono::microseconds(kind % 40)));
        (one.index() == 0 ? taken : performed).fetch_add(one.index() == 2 ? 0 : 1);
        ended.fetch_add(1);
      });
      while (!selects.load()) {
        co_await yield();
      }
      if (kind % 3 == 0) {
        selecting.cancel();
      }
      if (kind % 2 == 0) {
        given.fetch_add(items.try_send(1) ? 1 : 0);
      } else {
        shared.other_end().complete(1);
      }
    });
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(given.load(), taken.load());
  EXPECT_GT(ended.load(), 0);
}

}  // namespace
}  // namespace coppice
