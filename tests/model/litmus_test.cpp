// What the explorer takes memory for: the outcomes that C++20 allows and no others, by the smallest programs that tell.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/coppice_model/atomic.h"
#include "tests/model/explorer.h"

namespace coppice_model {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

using cell = atomic<int>;

// Some locations and what was read of them.
struct scene {
  cell x{0};
  cell y{0};
  std::array<int, 4> read{};
};

using program = std::vector<std::function<void(scene&)>>;

// Can the program end so?
bool possible(const program& threads, const std::function<bool(scene&)>& ending) {
  static int number = 0;
  exploration how;
  how.within = {.preemptions = 2, .delays = 2, .together = 3};
  how.most_searched = 1'000'000;
  how.drawn = 0;
  const finding found = explore(
      "litmus " + std::to_string(++number),
      [&] {
        scene shared;
        {
          std::vector<std::jthread> running;
          for (const auto& each : threads) {
            running.emplace_back([&] { each(shared); });
          }
        }
        require(!ending(shared), "the outcome");
      },
      how);
  if (found) {
    EXPECT_EQ(found.wrong, "the outcome") << found.trace;
    return true;
  }
  EXPECT_TRUE(found.searched_all);
  return false;
}

bool store_buffering(std::memory_order write, std::memory_order read) {
  return possible({[=](scene& s) {
                     s.x.store(1, write);
                     s.read[0] = s.y.load(read);
                   },
                   [=](scene& s) {
                     s.y.store(1, write);
                     s.read[1] = s.x.load(read);
                   }},
                  [](scene& s) { return s.read[0] == 0 && s.read[1] == 0; });
}

TEST(Litmus, StoresAreBufferedButForTotalOrder) {
  EXPECT_TRUE(store_buffering(relaxed, relaxed));
  EXPECT_TRUE(store_buffering(release, acquire));
  EXPECT_TRUE(store_buffering(seq_cst, acquire));
  EXPECT_TRUE(store_buffering(release, seq_cst));
  EXPECT_FALSE(store_buffering(seq_cst, seq_cst));
}

// As the suspension has it: one side's write is an update.
bool store_buffering_of_updates(std::memory_order write, std::memory_order read) {
  return possible({[=](scene& s) {
                     int none = 0;
                     s.x.compare_exchange_strong(none, 1, write, relaxed);
                     s.read[0] = s.y.load(read);
                   },
                   [=](scene& s) {
                     s.y.fetch_add(1, seq_cst);
                     s.read[1] = s.x.load(seq_cst);
                   }},
                  [](scene& s) { return s.read[0] == 0 && s.read[1] == 0; });
}

TEST(Litmus, UpdatesAreBufferedToo) {
  EXPECT_TRUE(store_buffering_of_updates(acq_rel, seq_cst));
  EXPECT_TRUE(store_buffering_of_updates(seq_cst, acquire));
  EXPECT_FALSE(store_buffering_of_updates(seq_cst, seq_cst));
}

bool message_passing(std::memory_order write, std::memory_order read) {
  return possible({[=](scene& s) {
                     s.x.store(1, relaxed);
                     s.y.store(1, write);
                   },
                   [=](scene& s) {
                     s.read[0] = s.y.load(read);
                     s.read[1] = s.x.load(relaxed);
                   }},
                  [](scene& s) { return s.read[0] == 1 && s.read[1] == 0; });
}

TEST(Litmus, AMessageIsPassedByReleaseAndAcquire) {
  EXPECT_TRUE(message_passing(relaxed, relaxed));
  EXPECT_TRUE(message_passing(release, relaxed));
  EXPECT_TRUE(message_passing(relaxed, acquire));
  EXPECT_FALSE(message_passing(release, acquire));
  EXPECT_FALSE(message_passing(seq_cst, seq_cst));
}

// Also through an update in between, whatever its order; but not through a store.
bool passing_through(bool update) {
  return possible({[](scene& s) {
                     s.x.store(1, relaxed);
                     s.y.store(1, release);
                   },
                   [=](scene& s) {
                     if (update) {
                       s.y.fetch_add(1, relaxed);
                     } else if (s.y.load(relaxed) == 1) {
                       s.y.store(2, relaxed);
                     }
                   },
                   [](scene& s) {
                     s.read[0] = s.y.load(acquire);
                     s.read[1] = s.x.load(relaxed);
                   }},
                  [](scene& s) { return s.read[0] == 2 && s.read[1] == 0; });
}

TEST(Litmus, AMessageIsPassedOnByUpdatesOnly) {
  EXPECT_FALSE(passing_through(true));
  EXPECT_TRUE(passing_through(false));
}

bool two_and_two_writes(std::memory_order order) {
  return possible({[=](scene& s) {
                     s.x.store(1, order);
                     s.y.store(2, order);
                   },
                   [=](scene& s) {
                     s.y.store(1, order);
                     s.x.store(2, order);
                   }},
                  [](scene& s) { return s.x.load(relaxed) == 1 && s.y.load(relaxed) == 1; });
}

TEST(Litmus, WritesOfTwoThreadsCrossButForTotalOrder) {
  EXPECT_TRUE(two_and_two_writes(relaxed));
  EXPECT_TRUE(two_and_two_writes(release));
  EXPECT_FALSE(two_and_two_writes(seq_cst));
}

bool independent_reads(std::memory_order write, std::memory_order read) {
  return possible({[=](scene& s) { s.x.store(1, write); }, [=](scene& s) { s.y.store(1, write); },
                   [=](scene& s) {
                     s.read[0] = s.x.load(read);
                     s.read[1] = s.y.load(read);
                   },
                   [=](scene& s) {
                     s.read[2] = s.y.load(read);
                     s.read[3] = s.x.load(read);
                   }},
                  [](scene& s) { return s.read == std::array<int, 4>{1, 0, 1, 0}; });
}

TEST(Litmus, ReadersAgreeOnTheOrderOfWritesOnlyInTotalOrder) {
  EXPECT_TRUE(independent_reads(release, acquire));
  EXPECT_FALSE(independent_reads(seq_cst, seq_cst));
}

// Values out of thin air, and loads behind later stores: nothing here may rely on either, so neither is shown.
TEST(Litmus, LoadsAreNotDelayed) {
  EXPECT_FALSE(possible({[](scene& s) {
                           s.read[0] = s.x.load(relaxed);
                           s.y.store(1, relaxed);
                         },
                         [](scene& s) {
                           s.read[1] = s.y.load(relaxed);
                           s.x.store(1, relaxed);
                         }},
                        [](scene& s) { return s.read[0] == 1 && s.read[1] == 1; }));
}

TEST(Litmus, OneLocationNeverGoesBack) {
  EXPECT_FALSE(possible({[](scene& s) {
                           s.x.store(1, relaxed);
                           s.x.store(2, relaxed);
                         },
                         [](scene& s) {
                           s.read[0] = s.x.load(relaxed);
                           s.read[1] = s.x.load(relaxed);
                         }},
                        [](scene& s) { return s.read[0] > s.read[1]; }));
}

TEST(Litmus, UpdatesLoseNothing) {
  const auto add = [](scene& s) { s.x.fetch_add(1, relaxed); };
  EXPECT_FALSE(possible({add, add, add}, [](scene& s) { return s.x.load(relaxed) != 3; }));
  const auto add_in_two = [](scene& s) { s.x.store(s.x.load(seq_cst) + 1, seq_cst); };
  EXPECT_TRUE(possible({add_in_two, add_in_two}, [](scene& s) { return s.x.load(relaxed) != 2; }));
}

TEST(Litmus, OneOfTwoExchangesWins) {
  const auto claim = [](std::size_t by) {
    return [by](scene& s) {
      int none = 0;
      s.read[by] = s.x.compare_exchange_strong(none, 1, relaxed, relaxed) ? 1 : 0;
    };
  };
  EXPECT_FALSE(possible({claim(0), claim(1)}, [](scene& s) { return s.read[0] + s.read[1] != 1; }));
}

TEST(Litmus, OnlyAWeakExchangeFailsForNothing) {
  const auto fails = [](bool weak) {
    return possible({[weak](scene& s) {
                      int none = 0;
                      s.read[0] = weak ? s.x.compare_exchange_weak(none, 1, relaxed, relaxed)
                                       : s.x.compare_exchange_strong(none, 1, relaxed, relaxed);
                    }},
                    [](scene& s) { return s.read[0] == 0; });
  };
  EXPECT_TRUE(fails(true));
  EXPECT_FALSE(fails(false));
}

// ---- What it finds besides ----------------------------------------------------------------------

finding of_two(const std::function<void()>& first, const std::function<void()>& second) {
  static int number = 0;
  return explore("pair " + std::to_string(++number), [&] {
    const std::jthread one(first);
    const std::jthread other(second);
  });
}

TEST(Explorer, FindsWhatIsDestroyedTooEarly) {
  std::unique_ptr<cell> shared;
  const auto model = [&](std::memory_order order) {
    return explore(std::string("reference count ") + std::to_string(static_cast<int>(order)), [&] {
      shared = std::make_unique<cell>(2);
      const auto drop = [&] {
        if (shared->fetch_sub(1, order) == 1) {
          shared.reset();
        }
      };
      const std::jthread one(drop);
      const std::jthread other(drop);
    });
  };
  EXPECT_FALSE(model(acq_rel)) << model(acq_rel).wrong;
  EXPECT_TRUE(model(release));
}

finding passing_plainly(std::memory_order write, std::memory_order read) {
  static int number = 0;
  return explore("plain memory " + std::to_string(++number), [=] {
    int message = 0;
    cell sent{0};
    const std::jthread from([&] {
      message = 1;
      sent.store(1, write);
    });
    const std::jthread to([&] { require(sent.load(read) == 0 || message == 1, "no message"); });
  });
}

TEST(Explorer, FindsWhatPlainMemoryNeeds) {
  EXPECT_FALSE(passing_plainly(release, acquire));
  EXPECT_NE(passing_plainly(relaxed, acquire).wrong.find("plain memory"), std::string::npos);
  EXPECT_NE(passing_plainly(release, relaxed).wrong.find("plain memory"), std::string::npos);
}

TEST(Explorer, FindsWhatIsUsedBehindItsEnd) {
  const finding found = explore("use behind the end", [] {
    auto* const number = new int(1);
    int* volatile kept = number;
    delete number;
    require(*kept != 2, "");
  });
  EXPECT_NE(found.wrong.find("given back"), std::string::npos) << found.wrong;
}

TEST(Explorer, FindsADeadlock) {
  static std::mutex one;
  static std::mutex other;
  const auto lock_both = [](std::mutex& first, std::mutex& second) {
    return [&first, &second] {
      const std::lock_guard held(first);
      const std::lock_guard held_too(second);
    };
  };
  EXPECT_FALSE(of_two(lock_both(one, other), lock_both(one, other)));
  const finding found = of_two(lock_both(one, other), lock_both(other, one));
  EXPECT_NE(found.wrong.find("nobody can go on"), std::string::npos) << found.wrong;
}

// Thread 1 stands still at each of its steps in turn: also between these two.
finding standing_still(bool locked) {
  exploration how;
  how.within = {.preemptions = 1, .delays = 0, .freezes = 1, .together = 2};
  how.of_each.frozen = 1;
  return explore(
      std::string("standing still ") + (locked ? "with" : "without"),
      [=] {
        cell x{0};
        std::mutex mutex;
        const auto add = [&] {
          const std::unique_lock held =
              locked ? std::unique_lock(mutex) : std::unique_lock(mutex, std::defer_lock);
          x.fetch_add(1, relaxed);
          x.fetch_add(1, relaxed);
        };
        const std::jthread one(add);
        const std::jthread other(add);
      },
      how);
}

TEST(Explorer, FindsWhoWaitsForOneThatStandsStill) {
  EXPECT_FALSE(standing_still(false));
  const std::string wrong = standing_still(true).wrong;
  EXPECT_NE(wrong.find("thread 1 stands still for ever, thread 2 waits for a mutex"),
            std::string::npos)
      << wrong;
}

TEST(Explorer, FindsACrash) {
  static cell turn{0};
  const finding found = of_two([] { turn.store(1, relaxed); },
                               [] {
                                 if (turn.load(relaxed) == 1) {
                                   std::abort();
                                 }
                               });
  EXPECT_NE(found.wrong.find("signal 6"), std::string::npos) << found.wrong;
}

TEST(Explorer, SaysHowToComeThereAgain) {
  cell x{0};
  const auto model = [&] {
    x.store(0, relaxed);
    {
      const auto add = [&x] { x.store(x.load(relaxed) + 1, relaxed); };
      const std::jthread one(add);
      const std::jthread other(add);
    }
    require(x.load(relaxed) == 2, "an addition was lost");
  };
  const finding found = explore("lost addition", model);
  ASSERT_EQ(found.wrong, "an addition was lost");
  setenv("MODEL_SCHEDULE", ("lost addition " + found.schedule).c_str(), 1);
  const finding again = explore("lost addition", model);
  const finding other = explore("another model", model);
  unsetenv("MODEL_SCHEDULE");
  EXPECT_EQ(again.wrong, found.wrong);
  EXPECT_NE(again.trace.find("litmus_test.cpp"), std::string::npos);
  EXPECT_FALSE(other);
}

}  // namespace
}  // namespace coppice_model
