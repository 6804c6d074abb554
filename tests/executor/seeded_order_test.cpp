#include <coppice/detail/fork_join.h>
#include <coppice/detail/standstill.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/accounting.h"
#include "tests/support/failing_new.h"

// With one worker and a seed, the order in which tasks run is the seed's, or that of their arrival.
namespace coppice::detail {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""s;
using testing_support::accounted_executor;
using testing_support::can_fail_allocations;
using testing_support::for_each_failing_allocation;
using testing_support::spare_allocations;

constexpr options one_worker{.threads = 1};

task<> write(std::string& into, char letter, int times = 1) {
  for (int i = 0; i != times; ++i) {
    into += letter;
    co_await yield();
  }
}

// Runs a task of an executor with the seed; it writes what it does.
template <class Main>
std::string run(std::uint64_t seed, bool shuffle, const Main& main) {
  const test_setup setup{.seed = seed, .shuffle = shuffle};
  accounted_executor on(one_worker, &setup);
  std::string order;
  on.block_on(main(order));
  on.wait_until_idle();
  return order;
}

template <class Main>
std::string arrival_order(const Main& main) {
  return run(1, false, main);
}

class SeededOrder : public testing_support::accounted_test {
 protected:
  // The same for the same seed, whichever it is, and not the same for all of them.
  template <class Main>
  static void expect_the_seeds_order(const Main& main) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 0; seed != 20; ++seed) {
      const std::string order = run(seed, true, main);
      EXPECT_EQ(run(seed, true, main), order);
      orders.insert(order);
    }
    EXPECT_GT(orders.size(), 5u);
  }
};

// Tasks that are spawned, yield, sleep, wait for each other, and are cancelled.
task<> all_kinds(std::string& order) {
  std::vector<task_handle<>> handles;
  for (char letter = 'a'; letter != 'h'; ++letter) {
    handles.push_back(spawn(write(order, letter, 4)));
    handles.push_back(spawn([&order, letter]() -> task<> {
      co_await sleep_for(1s);
      order += static_cast<char>(letter - 'a' + 'A');
    }));
  }
  const task_handle<> victim = spawn([&order]() -> task<> {
    co_await sleep_for(1h);
    order += '!';
  });
  for (const task_handle<>& each : handles) {
    co_await each;
  }
  victim.cancel();
  while (!victim.done()) {
    order += '.';
    co_await yield();
  }
}

task<> forks(std::string& order) {
  const auto child = [](std::string& into, char letter) -> task<> {
    into += letter;
    co_await yield();
    into += letter;
  };
  co_await fork_join(child(order, 'a'), child(order, 'b'), child(order, 'c'), child(order, 'd'));
}

task<> made_one_by_one(std::string& order) {
  const auto child = [&order](std::size_t i) -> task<> {
    order += static_cast<char>('a' + i);
    co_await yield();
    order += static_cast<char>('a' + i);
  };
  co_await fork_join_n(4, child);
}

TEST_F(SeededOrder, IsTheSeeds) {
  expect_the_seeds_order(all_kinds);
  expect_the_seeds_order(forks);
  expect_the_seeds_order(made_one_by_one);
}

TEST_F(SeededOrder, StartsTheSecondChildOfAForkFirst) {
  std::set<char> first;
  for (std::uint64_t seed = 0; seed != 20; ++seed) {
    first.insert(run(seed, true, forks)[0]);
  }
  EXPECT_EQ(first,
            (std::set<char>{'a', 'b'}));  // The third becomes runnable when the second has begun.
}

TEST_F(SeededOrder, IsThatOfArrivalUnlessShuffled) {
  EXPECT_EQ(arrival_order([](std::string& order) -> task<> {
              for (char letter = 'a'; letter != 'e'; ++letter) {
                spawn(write(order, letter, 3));
              }
              order += '-';
              co_return;
            }),
            "-abcdabcdabcd");
  EXPECT_EQ(arrival_order(forks), "abcdabcd");
  EXPECT_EQ(arrival_order(made_one_by_one), "abcdabcd");
}

// Whoever was there before a fork goes before its children.
TEST_F(SeededOrder, AForksChildrenArriveWithIt) {
  EXPECT_EQ(arrival_order([](std::string& order) -> task<> {
              spawn(write(order, '1'));
              const auto child = [](std::string& into, char letter, char late) -> task<> {
                into += letter;
                spawn(write(into, late));
                co_return;
              };
              spawn(write(order, '2'));
              co_await fork_join(child(order, 'a', '3'), child(order, 'b', '4'));
              order += '-';
            }),
            "12ab-34");
}

TEST_F(SeededOrder, TimersOfOneInstantArriveInTheOrderTheyWereSet) {
  EXPECT_EQ(arrival_order([](std::string& order) -> task<> {
              const time_point due = now() + 1h;
              for (char letter = 'a'; letter != 'k'; ++letter) {
                spawn([&order, letter, due]() -> task<> {
                  co_await sleep_until(due);
                  order += letter;
                });
              }
              co_await sleep_until(due);
              order += '-';
              co_await sleep_for(1ns);
            }),
            "-abcdefghij");
}

// What a thread spawns at a standstill waits for the thread to wait, however slow the thread is.
TEST_F(SeededOrder, IsTheSeedsAlsoForWhatThreadsSpawn) {
  const auto spawned_outside = [](std::uint64_t seed, bool shuffle) {
    const test_setup setup{.seed = seed, .shuffle = shuffle, .patience = 1h};
    accounted_executor on(one_worker, &setup);
    std::string order;
    for (char letter = 'a'; letter != 'k'; ++letter) {
      on.spawn(write(order, letter));
      std::this_thread::yield();
    }
    standstill_of(on)->wait_until_blocked();
    return order;
  };
  EXPECT_EQ(spawned_outside(1, false), "abcdefghij");
  for (std::uint64_t seed = 0; seed != 20; ++seed) {
    const std::string order = spawned_outside(seed, true);
    EXPECT_NE(order, "abcdefghij");
    for (int round = 0; round != 10; ++round) {
      ASSERT_EQ(spawned_outside(seed, true), order);
    }
  }
}

TEST_F(SeededOrder, DoesNotChangeWhatAForkGives) {
  struct tree {
    static task<long> sum(long from, long to) {
      if (to - from == 1) {
        co_return from;
      }
      const long middle = (from + to) / 2;
      const auto [low, high] = co_await fork_join(sum(from, middle), sum(middle, to));
      co_return low + high;
    }
  };
  for (std::uint64_t seed = 0; seed != 5; ++seed) {
    const test_setup setup{.seed = seed, .shuffle = seed != 0};
    accounted_executor on(one_worker, &setup);
    EXPECT_EQ(on.block_on(tree::sum(0, 5'000)), 5'000L * 4'999 / 2);
  }
}

TEST_F(SeededOrder, HoldsOnTheSteadyClockToo) {
  const test_setup setup{.virtual_time = false, .seed = 1, .shuffle = false};
  accounted_executor on(one_worker, &setup);
  std::string order;
  on.block_on([&order]() -> task<> {
    for (char letter = 'a'; letter != 'e'; ++letter) {
      spawn(write(order, letter));
    }
    co_await sleep_for(1ns);
  });
  on.wait_until_idle();
  EXPECT_EQ(order, "abcd");
}

// A job for which the bag has no room runs all the same, if out of turn.
TEST_F(SeededOrder, LosesNothingWithoutMemory) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  for (const bool shuffle : {true, false}) {
    const test_setup setup{.seed = 1, .shuffle = shuffle};
    const std::size_t failures = for_each_failing_allocation([&](auto&) {
      std::unique_ptr<accounted_executor> on;
      {
        const spare_allocations spared;
        on = std::make_unique<accounted_executor>(one_worker, &setup);
        on->set_error_handler([](const error_report&) {});
      }
      int spawned = 0;
      int run = 0;
      try {
        on->block_on([&]() -> task<> {
          for (int i = 0; i != 200; ++i) {
            try {
              spawn([&run] { ++run; });
              ++spawned;
            } catch (const std::bad_alloc&) {
            }
          }
          co_await sleep_for(1ns);
        });
      } catch (const std::bad_alloc&) {
      }
      const spare_allocations spared;
      on->wait_until_idle();
      EXPECT_EQ(run, spawned);
      on.reset();
    });
    EXPECT_GT(failures, 0u);
  }
}

}  // namespace
}  // namespace coppice::detail
