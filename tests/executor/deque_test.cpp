#include <coppice/detail/deque.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <new>
#include <random>

namespace coppice::detail {
namespace {

struct item {
  int value = 0;
};

// Lets a test stand between the halves of a steal, or between what a pop has seen and what it does.
class halved_deque : public deque<item> {
 public:
  using deque::claim;
  using deque::deque;
  using deque::look;
  using deque::pop_public;
  using deque::sighting;
};

using index = deque<item>::index;

std::array<item, 64> storage;

void push_private(deque<item>& items, int from, int to) {
  for (int i = from; i != to; ++i) {
    EXPECT_EQ(items.try_push(&storage[static_cast<std::size_t>(i)]), push_result::kept);
  }
}

// Items 0 to n - 1, all of them public.
void push_public(deque<item>& items, int n) {
  EXPECT_TRUE(items.push(&storage[0]));
  push_private(items, 1, n);
  EXPECT_EQ(items.publish(), n > 1);
}

void expect_stolen(deque<item>& items, int from, int to) {
  for (int i = from; i != to; ++i) {
    EXPECT_EQ(items.steal(), &storage[static_cast<std::size_t>(i)]);
  }
}

void expect_empty(deque<item>& items) {
  EXPECT_EQ(items.size(), 0u);
  EXPECT_FALSE(items.has_public());
  EXPECT_EQ(items.steal(), nullptr);
  EXPECT_EQ(items.pop(), nullptr);
  EXPECT_FALSE(items.pop_if(&storage[0]));
  EXPECT_FALSE(items.share());
  EXPECT_FALSE(items.publish());
}

TEST(Deque, IsEmptyAtFirst) {
  deque<item> items;
  expect_empty(items);
}

TEST(Deque, ShowsTheFirstItemAndKeepsTheNext) {
  deque<item> items;
  EXPECT_TRUE(items.push(&storage[0]));
  EXPECT_TRUE(items.has_public());
  push_private(items, 1, 3);
  expect_stolen(items, 0, 1);
  EXPECT_EQ(items.steal(), nullptr);
  EXPECT_FALSE(items.has_public());
  EXPECT_EQ(items.size(), 2u);
}

TEST(Deque, ShowsEverythingWithThePushThatFindsNothingShown) {
  deque<item> items;
  EXPECT_TRUE(items.push(&storage[0]));
  push_private(items, 1, 4);
  expect_stolen(items, 0, 1);
  EXPECT_EQ(items.try_push(&storage[4]), push_result::published);
  push_private(items, 5, 6);
  expect_stolen(items, 1, 5);
  EXPECT_EQ(items.steal(), nullptr);
}

TEST(Deque, ShowsEverythingOnRequest) {
  deque<item> items;
  EXPECT_TRUE(items.push(&storage[0]));
  push_private(items, 1, 4);
  EXPECT_TRUE(items.publish());
  EXPECT_FALSE(items.publish());
  expect_stolen(items, 0, 4);
}

TEST(Deque, SharesOnlyIfThievesWouldFindNothing) {
  deque<item> items;
  EXPECT_TRUE(items.push(&storage[0]));
  push_private(items, 1, 4);
  EXPECT_FALSE(items.share());
  expect_stolen(items, 0, 1);
  EXPECT_EQ(items.pop(), &storage[3]);
  EXPECT_TRUE(items.share());
  EXPECT_FALSE(items.share());
  expect_stolen(items, 1, 3);
}

TEST(Deque, OwnerPopsTheNewestItem) {
  deque<item> items;
  EXPECT_TRUE(items.push(&storage[0]));
  push_private(items, 1, 3);
  for (std::size_t i = 3; i-- != 0;) {
    EXPECT_EQ(items.pop(), &storage[i]);
  }
  expect_empty(items);
}

TEST(Deque, OwnerPopsThePublicItemsToo) {
  for (int n = 1; n != 40; ++n) {
    deque<item> items(64);
    push_public(items, n);
    for (auto i = static_cast<std::size_t>(n); i-- != 0;) {
      EXPECT_EQ(items.pop(), &storage[i]);
      EXPECT_EQ(items.size(), i);
    }
    expect_empty(items);
  }
}

TEST(Deque, PopTakesBackTheNewerHalfOfThePublicPart) {
  deque<item> items;
  push_public(items, 8);
  EXPECT_EQ(items.pop(), &storage[7]);
  EXPECT_FALSE(items.share());
  expect_stolen(items, 0, 4);
  EXPECT_FALSE(items.has_public());
  EXPECT_EQ(items.size(), 3u);
}

TEST(Deque, PopIfTakesTheExpectedItem) {
  deque<item> items;
  EXPECT_TRUE(items.push(&storage[0]));
  push_private(items, 1, 3);
  for (std::size_t i = 3; i-- != 0;) {
    EXPECT_TRUE(items.pop_if(&storage[i]));
  }
  expect_empty(items);
}

TEST(Deque, PopIfLeavesAnyOtherItem) {
  deque<item> items;
  push_public(items, 2);
  EXPECT_FALSE(items.pop_if(&storage[0]));
  push_private(items, 2, 3);
  EXPECT_FALSE(items.pop_if(&storage[0]));
  EXPECT_EQ(items.size(), 3u);
  expect_stolen(items, 0, 2);
  EXPECT_EQ(items.pop(), &storage[2]);
}

TEST(Deque, PopIfDoesNotTakeWhatWasStolen) {
  deque<item> items;
  push_public(items, 2);
  expect_stolen(items, 0, 2);
  EXPECT_FALSE(items.pop_if(&storage[1]));
  expect_empty(items);
}

TEST(Deque, PushesManyInOrder) {
  deque<item> items(2);
  const auto nth = [](std::size_t i) noexcept { return &storage[i]; };
  EXPECT_TRUE(items.push_n(20, nth));
  EXPECT_FALSE(items.push_n(3, nth));
  EXPECT_EQ(items.pop(), &storage[2]);
  expect_stolen(items, 0, 20);
  EXPECT_TRUE(items.share());
  expect_stolen(items, 0, 2);
  expect_empty(items);
}

TEST(Deque, PushesNoneOfNone) {
  deque<item> items;
  EXPECT_FALSE(items.push_n(0, [](std::size_t) noexcept { return &storage[0]; }));
  expect_empty(items);
}

TEST(Deque, PushOfTooManyThrowsAndChangesNothing) {
  deque<item> items(2);
  push_public(items, 2);
  push_private(items, 2, 3);
  const auto first = [](std::size_t) noexcept { return &storage[0]; };
  EXPECT_THROW((void)items.push_n(SIZE_MAX, first), std::bad_alloc);
  EXPECT_THROW((void)items.push_n(SIZE_MAX / 2, first), std::bad_alloc);
  EXPECT_EQ(items.size(), 3u);
  EXPECT_EQ(items.pop(), &storage[2]);
  expect_stolen(items, 0, 2);
}

TEST(Deque, GrowthKeepsEveryItemInOrder) {
  for (const std::size_t capacity : {1u, 2u, 3u, 4u, 8u}) {
    for (int stolen_first = 0; stolen_first != 10; ++stolen_first) {
      deque<item> items(capacity);
      for (int i = 0; i != stolen_first; ++i) {  // The ring is then full from its middle.
        EXPECT_TRUE(items.push(&storage[0]));
        expect_stolen(items, 0, 1);
      }
      push_public(items, 10);
      push_private(items, 10, 40);
      EXPECT_EQ(items.size(), 40u);
      for (std::size_t i = 40; i-- != 30;) {
        EXPECT_EQ(items.pop(), &storage[i]);
      }
      expect_stolen(items, 0, 10);
      items.publish();
      expect_stolen(items, 10, 30);
      expect_empty(items);
    }
  }
}

TEST(Deque, StaysSmallIfItIsEmptiedInTime) {
  deque<item> items(4);
  for (int round = 0; round != 100; ++round) {
    push_public(items, 4);
    EXPECT_EQ(items.pop(), &storage[3]);
    expect_stolen(items, 0, 2);
    EXPECT_TRUE(items.pop_if(&storage[2]));
  }
  expect_empty(items);
}

// Thieves take some items after the pop has looked, so that it aims at items they own by then.
TEST(Deque, PopWithAnOldViewOfThievesTakesOnlyWhatTheyLeft) {
  for (int n = 1; n != 17; ++n) {
    for (int stolen = 0; stolen <= n; ++stolen) {
      halved_deque items;
      push_public(items, n);
      expect_stolen(items, 0, stolen);
      const auto last = static_cast<std::size_t>(n - 1);
      EXPECT_EQ(items.pop_public(0), stolen == n ? nullptr : &storage[last]);
      if (stolen < n - 1) {
        EXPECT_TRUE(items.has_public());
        items.publish();
        expect_stolen(items, stolen, n - 1);
      }
      expect_empty(items);
    }
  }
}

// Between the two stores of split_ a thief found nothing, and went to sleep.
TEST(Deque, PopThatHidAnItemAndShowsItAgainAsksForAWakeUp) {
  halved_deque items;
  push_public(items, 8);
  expect_stolen(items, 0, 6);
  EXPECT_EQ(items.pop_public(0), &storage[7]);
  EXPECT_TRUE(items.has_public());
  EXPECT_TRUE(items.share());
  EXPECT_FALSE(items.share());
}

TEST(Deque, ThiefThatSleptClaimsTheOldestItemIfNobodyElseHas) {
  halved_deque items(2);
  EXPECT_TRUE(items.push(&storage[0]));
  const auto seen = items.look();
  for (int i = 0; i != 1 << 17; ++i) {  // Grows, and comes down again.
    EXPECT_FALSE(items.push(&storage[1]));
  }
  items.publish();
  for (int i = 0; i != 1 << 17; ++i) {
    ASSERT_TRUE(items.pop_if(&storage[1]));
  }
  EXPECT_EQ(seen.item, &storage[0]);
  EXPECT_TRUE(items.claim(seen));
  expect_empty(items);
}

TEST(Deque, ThiefThatSleptClaimsNothingOfALaterItem) {
  halved_deque items(2);
  EXPECT_TRUE(items.push(&storage[0]));
  const auto seen = items.look();
  for (int i = 0; i != (1 << 16) + 4; ++i) {  // The same item in the same slots, many laps on.
    EXPECT_EQ(items.pop(), &storage[0]);
    EXPECT_TRUE(items.push(&storage[0]));
    ASSERT_FALSE(items.claim(seen));
  }
}

TEST(Deque, OneOfTwoThievesClaimsWhatBothHaveSeen) {
  halved_deque items;
  push_public(items, 2);
  const auto first = items.look();
  const auto second = items.look();
  EXPECT_EQ(first.item, second.item);
  EXPECT_TRUE(items.claim(second));
  EXPECT_FALSE(items.claim(first));
  EXPECT_EQ(items.size(), 1u);
}

// A list tells what every step of the owner must find, and of thieves that stand between their
// halves while the owner goes on. The deque grows and is emptied again and again, and passes each
// index at which a counter of 16, 32, 63 or 64 bits would wrap.
class DequeAgainstAList : public testing::TestWithParam<index> {
 protected:
  void run(index origin) {
    SCOPED_TRACE(testing::Message() << "origin " << origin);
    halved_deque items(2, origin);
    random_.seed(static_cast<std::uint_fast32_t>(origin));
    expected_.clear();
    seen_ = {};
    for (int step = 0; step != 1000 && !HasFailure(); ++step) {
      take_step(items, step % 128 < 64);
      ASSERT_EQ(items.size(), expected_.size());
    }
    EXPECT_GT(items.look().top - origin, index{9});
  }

 private:
  void take_step(halved_deque& items, bool growing) {
    switch (random_() % 8) {
      case 0:
        return growing ? push(items) : pop(items);
      case 1:
        return growing ? push_n(items) : pop(items);
      case 2:
        return pop(items);
      case 3:
        return pop_if(items);
      case 4:
        (void)(random_() % 2 == 0 ? items.share() : items.publish());
        EXPECT_EQ(items.has_public(), !expected_.empty());
        return;
      default:
        return steal_half(items, seen_[random_() % seen_.size()]);
    }
  }

  void push(deque<item>& items) {
    expected_.push_back(&storage[random_() % 4]);
    (void)items.push(expected_.back());
    EXPECT_TRUE(items.has_public());
  }

  void push_n(deque<item>& items) {
    for (std::size_t i = 0; i != 5; ++i) {
      expected_.push_back(&storage[i]);
    }
    (void)items.push_n(5, [](std::size_t i) noexcept { return &storage[i]; });
    EXPECT_TRUE(items.has_public());
  }

  void pop(deque<item>& items) {
    EXPECT_EQ(items.pop(), expected_.empty() ? nullptr : expected_.back());
    if (!expected_.empty()) {
      expected_.pop_back();
    }
  }

  void pop_if(deque<item>& items) {
    item* const guess = &storage[random_() % 4];
    const bool right = !expected_.empty() && expected_.back() == guess;
    EXPECT_EQ(items.pop_if(guess), right);
    if (right) {
      expected_.pop_back();
    }
  }

  void steal_half(halved_deque& items, halved_deque::sighting& seen) {
    if (seen.item == nullptr) {
      seen = items.look();
      EXPECT_EQ(seen.item != nullptr, items.has_public());
      return;
    }
    const bool still_oldest = items.look().top == seen.top;
    EXPECT_EQ(items.claim(seen), still_oldest);
    if (still_oldest) {
      ASSERT_FALSE(expected_.empty());
      EXPECT_EQ(seen.item, expected_.front());
      expected_.pop_front();
    }
    seen.item = nullptr;
  }

  std::mt19937 random_;
  std::deque<item*> expected_;
  std::array<halved_deque::sighting, 3> seen_{};
};

TEST_P(DequeAgainstAList, FindsWhatTheListSays) {
  for (index origin = GetParam() - 12; origin != GetParam() + 5; ++origin) {
    run(origin);
  }
}

INSTANTIATE_TEST_SUITE_P(AroundWrapping, DequeAgainstAList,
                         testing::Values(index{1} << 10, index{1} << 16, index{1} << 32,
                                         index{1} << 63, index{0}));

}  // namespace
}  // namespace coppice::detail
