#include <coppice/detail/deque.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::rounds;

struct item {
  std::size_t value = 0;  // Written before the push, read by whoever takes the item (D1).
  std::atomic<int> times_taken{0};
};

// Steal until they are dismissed.
class thieves {
 public:
  thieves(deque<item>& items, int count) {
    for (int i = 0; i != count; ++i) {
      threads_.emplace_back([this, &items] { run(items); });
    }
  }

  thieves(const thieves&) = delete;
  thieves& operator=(const thieves&) = delete;
  ~thieves() { dismiss(); }

  // The sum of what they took.
  std::size_t dismiss() {
    dismissed_.store(true, std::memory_order_relaxed);
    threads_.clear();
    return sum_.load(std::memory_order_relaxed);
  }

 private:
  void run(deque<item>& items) {
    std::size_t sum = 0;
    while (!dismissed_.load(std::memory_order_relaxed)) {
      if (item* const taken = items.steal()) {
        taken->times_taken.fetch_add(1, std::memory_order_relaxed);
        sum += taken->value;
      } else if (!items.has_public()) {
        std::this_thread::yield();
      }
    }
    sum_.fetch_add(sum, std::memory_order_relaxed);
  }

  std::atomic<bool> dismissed_{false};
  std::atomic<std::size_t> sum_{0};
  std::vector<std::jthread> threads_;
};

// Pushes each item of a storage once, pops what it finds, and remembers what it must still find:
// thieves take the oldest, so if the newest is gone, everything is.
class owner {
 public:
  owner(deque<item>& items, std::vector<item>& storage, unsigned seed)
      : items_(items), storage_(storage), random_(seed) {}

  bool done() const { return next_ == storage_.size(); }

  // `most` at a time, for a deque that is seldom deeper.
  void work(std::size_t most) {
    const std::size_t n = std::min(1 + random_() % most, storage_.size() - next_);
    if (random_() % 4 == 0) {
      (void)items_.push_n(n, [this](std::size_t) noexcept { return fresh(); });
    } else {
      for (std::size_t i = 0; i != n; ++i) {
        (void)items_.push(fresh());
      }
    }
    if (random_() % 2 == 0) {
      items_.publish();
    }
    for (std::size_t i = 1 + random_() % most; i != 0; --i) {
      pop();
      if (random_() % 4 == 0) {
        (void)items_.share();
      }
    }
  }

  // What is left when it returns was stolen. The sum of what the owner took.
  std::size_t finish() {
    while (!pushed_.empty()) {
      pop();
    }
    EXPECT_EQ(items_.pop(), nullptr);
    return sum_;
  }

 private:
  item* fresh() noexcept {
    item& each = storage_[next_];
    each.value = next_++;
    pushed_.push_back(&each);
    return &each;
  }

  void pop() {
    if (pushed_.empty()) {
      return;
    }
    item* const newest = pushed_.back();
    const bool found = random_() % 2 == 0 ? items_.pop_if(newest) : items_.pop() == newest;
    if (found) {
      newest->times_taken.fetch_add(1, std::memory_order_relaxed);
      sum_ += newest->value;
      pushed_.pop_back();
    } else {
      EXPECT_EQ(items_.size(), 0u);
      pushed_.clear();
    }
  }

  deque<item>& items_;
  std::vector<item>& storage_;
  std::vector<item*> pushed_;
  std::size_t next_ = 0;
  std::size_t sum_ = 0;
  std::mt19937 random_;
};

void take_every_item_once(std::size_t count, std::size_t capacity, int thief_count,
                          std::size_t most_at_a_time, unsigned seed) {
  SCOPED_TRACE(testing::Message() << "capacity " << capacity << ", " << thief_count
                                  << " thieves, seed " << seed);
  std::vector<item> storage(count);
  deque<item> items(capacity);
  thieves others(items, thief_count);
  owner self(items, storage, seed);
  while (!self.done() && !testing::Test::HasFailure()) {
    self.work(most_at_a_time);
  }
  const std::size_t sum = self.finish() + others.dismiss();
  for (const item& each : storage) {
    ASSERT_EQ(each.times_taken.load(std::memory_order_relaxed), 1) << "item " << each.value;
  }
  EXPECT_EQ(sum, count * (count - 1) / 2);
}

// Growths from a ring of 2, 4 and 8, and depths at which pops take back many items at a time (D2).
TEST(DequeStress, EveryItemIsTakenExactlyOnce) {
  const auto some_rounds = static_cast<unsigned>(rounds(100, 6));
  for (unsigned round = 0; round != some_rounds && !HasFailure(); ++round) {
    const int thief_count = 3 + static_cast<int>(round % 6);
    take_every_item_once(8 * 50'000 / (some_rounds < 100 ? 8 : 1), 2u << (round % 3), thief_count,
                         60, round);
  }
}

// The owner and one thief are after the same few items nearly all the time.
TEST(DequeStress, TheLastItemsAreTakenExactlyOnce) {
  const auto some_rounds = static_cast<unsigned>(rounds(200, 8));
  for (unsigned round = 0; round != some_rounds && !HasFailure(); ++round) {
    take_every_item_once(200'000, 8, 1, 1 + round % 8, round);
  }
}

// Thieves still read a ring when its owner has made a larger one. AddressSanitizer sees it if the
// smaller is gone by then.
TEST(DequeStress, ThievesMayReadARingThatIsOutgrown) {
  const auto some_rounds = static_cast<unsigned>(rounds(10'000, 200));
  for (unsigned round = 0; round != some_rounds && !HasFailure(); ++round) {
    take_every_item_once(600, 1, 2, 300, round);
  }
}

// The thief knows the ring in which it finds the items from nothing but the pointer it reads (D4):
// they became public before the ring was made. ThreadSanitizer sees it if that is not enough.
TEST(DequeStress, ThiefSeesANewRingWhole) {
  for (long round = rounds(100, 10); round != 0; --round) {
    std::vector<item> storage(100);
    deque<item> items(2);
    std::atomic<bool> grown{false};
    EXPECT_TRUE(items.push_n(2, [&](std::size_t i) noexcept { return &storage[i]; }));
    std::jthread thief([&] {
      while (!grown.load(std::memory_order_relaxed)) {
        std::this_thread::yield();
      }
      EXPECT_EQ(items.steal(), &storage[0]);
      EXPECT_EQ(items.steal(), &storage[1]);
      EXPECT_EQ(items.steal(), nullptr);
    });
    for (std::size_t i = 2; i != storage.size(); ++i) {
      EXPECT_FALSE(items.push(&storage[i]));
    }
    grown.store(true, std::memory_order_relaxed);
  }
}

// A thief that finds nothing announces that it will sleep, and looks once more; the owner shows an
// item, and looks for sleepers. If both see nothing the item lies there with everybody asleep (D5).
TEST(DequeStress, NoThiefSleepsBesideAnItem) {
  enum state : int { awake, announced, asleep };
  std::atomic<int> thief_is{awake};
  std::atomic<long> taken{0};
  const long some_rounds = rounds(1'000'000);
  item only;
  deque<item> items;

  std::jthread thief([&] {
    while (taken.load(std::memory_order_relaxed) != some_rounds) {
      if (items.steal() != nullptr) {
        taken.fetch_add(1, std::memory_order_release);
        continue;
      }
      int expected = announced;
      thief_is.exchange(announced, std::memory_order_seq_cst);
      if (items.has_public() || !thief_is.compare_exchange_strong(expected, asleep)) {
        continue;
      }
      while (thief_is.load(std::memory_order_relaxed) == asleep) {
        std::this_thread::yield();
      }
    }
  });
  long lost = 0;
  for (long round = 0; round != some_rounds; ++round) {
    EXPECT_TRUE(items.push(&only));
    if (thief_is.load(std::memory_order_seq_cst) != awake) {
      thief_is.store(awake, std::memory_order_seq_cst);
    }
    for (int looks = 0; taken.load(std::memory_order_acquire) == round; ++looks) {
      if (thief_is.load(std::memory_order_seq_cst) == asleep &&
          taken.load(std::memory_order_acquire) == round) {
        ++lost;
        thief_is.store(awake, std::memory_order_seq_cst);
      }
      if (looks > 1000) {
        std::this_thread::yield();
      }
    }
  }
  thief_is.store(awake, std::memory_order_seq_cst);
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace coppice::detail
