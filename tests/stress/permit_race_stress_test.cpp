// Races of semaphores, mutexes and conditions with cancels and time limits; every permit, lock and item is counted.
#include <coppice/condition.h>
#include <coppice/group.h>
#include <coppice/mutex.h>
#include <coppice/runtime.h>
#include <coppice/semaphore.h>
#include <coppice/spawn.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/racing.h"
#include "tests/support/waiting.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::dice;
using testing_support::give_way;
using testing_support::race_test;
using testing_support::rounds;
using testing_support::start_and_perhaps_stop;

class PermitRace : public race_test {};

constexpr long all_rounds = 1'000'000;

TEST_F(PermitRace, SemaphoreAgainstCancel) {
  const round each = [&](dice& random) -> task<> {
    const std::size_t had = random() % 3;
    async_semaphore permits(had);
    std::atomic<std::size_t> forgotten{0};
    std::size_t added = 0;
    const auto take = [&](std::size_t n, bool forget) {
      return [&, n, forget]() -> task<> {
        semaphore_permit held = co_await permits.acquire(n);
        EXPECT_EQ(held.count(), n);
        co_await give_way(1);
        if (forget) {
          forgotten.fetch_add(n);
          held.forget();
        }
      };
    };
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 3; ++i) {
        const std::size_t n = 1 + random() % 2;
        const bool forget = random() % 4 == 0;
        added += forget ? n : 0;
        start_and_perhaps_stop(all, take(n, forget), random);
      }
      added += 2;  // Enough for who asks for most, whatever the others forget.
      for (std::size_t more = added; more != 0;) {
        const std::size_t n = 1 + random() % more;
        permits.release(n);
        more -= n;
        co_await give_way(random() % 2);
      }
    });
    EXPECT_EQ(permits.available() + forgotten.load(), had + added);
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
}

TEST_F(PermitRace, SemaphoreReleasedByPlainThreads) {
  const long n = rounds(all_rounds);
  constexpr int threads = 2;
  async_semaphore permits(0);
  std::atomic<long> taken{0};
  runtime rt({.threads = 2});
  const task_handle<> taking = rt.spawn([&]() -> task<> {
    const auto take = [&]() -> task<> {
      while (taken.load() < threads * n) {
        bool granted = false;
        const auto one = [&]() -> task<> {
          (co_await permits.acquire()).forget();
          granted = true;
        };
        co_await move_on_after(20us, one);
        taken.fetch_add(granted ? 1 : 0);
      }
    };
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 3; ++i) {
        all.spawn(take);
      }
      co_return;
    });
  });
  {
    std::vector<std::jthread> releasing;
    for (int i = 0; i != threads; ++i) {
      releasing.emplace_back([&] {
        for (long j = 0; j != n; ++j) {
          permits.release();
        }
      });
    }
  }
  rt.block_on([&]() -> task<> { co_await taking; });
  EXPECT_EQ(taken.load(), threads * n);
  EXPECT_EQ(permits.available(), 0u);
}

// Is inside as long as it lives.
class occupant {
 public:
  explicit occupant(int& inside) : inside_(inside) { EXPECT_EQ(++inside_, 1); }
  occupant(const occupant&) = delete;
  occupant& operator=(const occupant&) = delete;
  ~occupant() { EXPECT_EQ(--inside_, 0); }

 private:
  int& inside_;
};

TEST_F(PermitRace, MutexAgainstCancel) {
  std::atomic<long> locked{0};
  long counted = 0;
  async_mutex shared;
  const round each = [&](dice& random) -> task<> {
    async_mutex mutex;
    int inside = 0;
    const auto lock = [&]() -> task<> {
      const async_lock held = co_await mutex.lock();
      const occupant alone(inside);
      co_await yield();
      const async_lock second = co_await shared.lock();
      ++counted;
      locked.fetch_add(1);
    };
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 4; ++i) {
        start_and_perhaps_stop(all, lock, random);
      }
      co_return;
    });
    EXPECT_TRUE(mutex.try_lock());
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(counted, locked.load());
  EXPECT_TRUE(shared.try_lock());
}

// Items in = items out + items left; a notification goes to one who takes an item, or finds none.
TEST_F(PermitRace, ConditionAgainstCancel) {
  const round each = [&](dice& random) -> task<> {
    constexpr int put = 3;
    async_mutex mutex;
    async_condition changed;
    int items = 0;
    int taken = 0;
    int must_take = 0;
    const auto any = [&] { return items != 0; };
    const auto take = [&]() -> task<> {
      async_lock lock = co_await mutex.lock();
      co_await changed.wait(lock, any);
      EXPECT_TRUE(lock);
      --items;
      ++taken;
    };
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != put; ++i) {
        must_take += start_and_perhaps_stop(all, take, random) ? 1 : 0;
      }
      for (int i = 0; i != put; ++i) {
        co_await give_way(random() % 2);
        const async_lock lock = co_await mutex.lock();
        ++items;
        changed.notify_one();
      }
    });
    EXPECT_EQ(items + taken, put);
    EXPECT_GE(taken, must_take);
    EXPECT_TRUE(mutex.try_lock());
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
}

TEST_F(PermitRace, ConditionNotifyAllAgainstCancel) {
  const round each = [&](dice& random) -> task<> {
    async_mutex mutex;
    async_condition changed;
    bool open = false;
    int inside = 0;
    const auto is_open = [&] { return open; };
    const auto wait = [&]() -> task<> {
      async_lock lock = co_await mutex.lock();
      co_await changed.wait(lock, is_open);
      const occupant alone(inside);
    };
    co_await with_group([&](task_group& all) -> task<> {
      for (int i = 0; i != 4; ++i) {
        start_and_perhaps_stop(all, wait, random);
      }
      co_await give_way(random() % 3);
      async_lock lock = co_await mutex.lock();
      open = true;
      lock.unlock();
      changed.notify_all();
    });
    EXPECT_TRUE(mutex.try_lock());
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
}

}  // namespace
}  // namespace coppice
