// Races of joins: of gather, race, wait and their kin with cancels, failures, and ends at one time.
#include <coppice/as_completed.h>
#include <coppice/awaiter.h>
#include <coppice/gather.h>
#include <coppice/race.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/time.h>
#include <coppice/wait.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/support/joining.h"
#include "tests/support/load.h"
#include "tests/support/racing.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::counted_value;
using testing_support::dice;
using testing_support::end_counts;
using testing_support::live_mark;
using testing_support::race_test;
using testing_support::racing_child;
using testing_support::racing_failure;
using testing_support::rounds;

class JoinRace : public race_test {};

constexpr long all_rounds = 1'000'000;

task<> cancel_later(scope_handle scope, unsigned delay) {
  for (unsigned i = 0; i != delay; ++i) {
    co_await yield();
  }
  scope.cancel("raced");
}

task<> cancel_task_later(task_ref target, unsigned delay) {
  for (unsigned i = 0; i != delay; ++i) {
    co_await yield();
  }
  target.cancel("raced");
}

// One that leaves nothing behind, however it ends.
task<int> marked_child(unsigned kind, std::atomic<int>& live, bool may_stay) {
  const live_mark mark(live);
  if (kind % 3 == 0) {
    co_await yield();
  } else if (kind % 3 == 1) {
    co_await sleep_for(std::chrono::microseconds(kind % 20));
  } else if (may_stay) {
    co_await sleep_for(1h);
  }
  co_return static_cast<int>(kind % 100);
}

TEST_F(JoinRace, GatherAgainstTheCancelOfItsCaller) {
  std::atomic<long> delivered{0};
  std::atomic<long> stopped{0};
  const round each = [&](dice& random) -> task<> {
    std::atomic<int> live{0};
    task_handle<> canceller;
    bool went_on = false;
    const unsigned first = random();
    const unsigned second = random();
    const bool may_stay = random() % 2 == 0;
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      canceller = spawn(cancel_later(scope.handle(), random() % 6));
      auto [a, b] = co_await gather(marked_child(first, live, may_stay),
                                    marked_child(second, live, may_stay));
      went_on = true;
      EXPECT_EQ(a, static_cast<int>(first % 100));
      EXPECT_EQ(b, static_cast<int>(second % 100));
    });
    EXPECT_EQ(live.load(), 0);
    EXPECT_TRUE(went_on || seen.cancelled_caught);
    (went_on ? delivered : stopped).fetch_add(1);
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(delivered.load() + stopped.load(), n);
}

TEST_F(JoinRace, TwoFailuresOfAGatherAtOnce) {
  end_counts counts;
  std::atomic<long> left{0};
  std::atomic<long> suppressed{0};
  std::atomic<long> reported{0};
  const round each = [&](dice& random) -> task<> {
    const auto end = co_await as_result(gather(racing_failure(random(), counts),
                                               racing_failure(random(), counts),
                                               racing_failure(random(), counts)));
    EXPECT_TRUE(end.failed());
    left.fetch_add(1);
    suppressed.fetch_add(static_cast<long>(end.entry().suppressed().size()));
  };
  runtime rt(several_threads());
  rt.set_error_handler([&](const error_report& report) {
    EXPECT_EQ(report.origin, error_origin::suppressed);
    reported.fetch_add(1);
  });
  const long n = run_rounds(rt, rounds(all_rounds), each);
  rt.shutdown();
  EXPECT_EQ(left.load(), n);
  EXPECT_EQ(left.load() + suppressed.load(), counts.thrown()) << "no failure is lost";
  EXPECT_EQ(reported.load(), suppressed.load());
}

task<counted_value> give_soon(unsigned kind, std::atomic<int>& live) {
  for (unsigned i = 0; i != kind % 3; ++i) {
    co_await yield();
  }
  co_return counted_value(live);
}

TEST_F(JoinRace, TwoThatWinARaceAtOnce) {
  std::atomic<long> won{0};
  const round each = [&](dice& random) -> task<> {
    std::atomic<int> live{0};
    {
      const auto first = co_await race(give_soon(random(), live), give_soon(random(), live),
                                       give_soon(random(), live));
      EXPECT_LT(first.index, 3u);
      EXPECT_EQ(live.load(), 1) << "the values of the others are destroyed";
      won.fetch_add(1);
    }
    EXPECT_EQ(live.load(), 0);
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(won.load(), n);
}

TEST_F(JoinRace, RaceOfASuccessAndFailures) {
  end_counts counts;
  std::atomic<long> shown{0};
  std::atomic<long> reported{0};
  const round each = [&](dice& random) -> task<> {
    const auto first =
        co_await race_success(racing_failure(random(), counts), racing_child(random(), counts),
                              racing_failure(random(), counts));
    EXPECT_EQ(first.index, 1u);
    EXPECT_EQ(first.value, 7);
    shown.fetch_add(static_cast<long>(first.errors.size()));
  };
  runtime rt(several_threads());
  rt.set_error_handler([&](const error_report&) { reported.fetch_add(1); });
  run_rounds(rt, rounds(all_rounds), each);
  rt.shutdown();
  EXPECT_EQ(shown.load() + reported.load(), counts.thrown()) << "no failure is lost";
}

TEST_F(JoinRace, AsCompletedLeftWhileOthersEnd) {
  std::atomic<long> given{0};
  const round each = [&](dice& random) -> task<> {
    std::atomic<int> live{0};
    std::vector<task<int>> tasks;
    for (int i = 0; i != 4; ++i) {
      tasks.push_back(marked_child(i == 0 ? 0 : random(), live, true));  // The first ends.
    }
    const std::size_t wanted = 1 + random() % 3;
    co_await as_completed(tasks, [&](completions<int>& c) -> task<> {
      std::array<bool, 4> seen{};
      for (std::size_t i = 0; i != wanted; ++i) {
        if (i == 1) {
          c.cancel_rest();
        }
        const auto next = co_await c.next();
        EXPECT_TRUE(next.has_value() && !seen.at(next->index)) << "each is given once";
        if (next) {
          seen.at(next->index) = true;
          given.fetch_add(1);
        }
      }
    });
    EXPECT_EQ(live.load(), 0);
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  EXPECT_GE(given.load(), n);
}

TEST_F(JoinRace, WaitOrAbortAgainstAFailureAndACancel) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    std::array<task_handle<int>, 3> handles{spawn(racing_child(random(), counts, true)),
                                            spawn(racing_failure(random(), counts)),
                                            spawn(racing_child(random(), counts))};
    const task_handle<> canceller = spawn(cancel_task_later(handles[random() % 3], random() % 4));
    const auto end = co_await as_result(wait_or_abort(handles));
    EXPECT_TRUE(end.failed());  // By the failure, or by task_cancelled.
    for (const task_handle<int>& child : handles) {
      counts.add(child);
    }
    co_await canceller;
  };
  runtime rt(several_threads());
  rt.set_error_handler([](const error_report&) {});
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

TEST_F(JoinRace, WaitForTheFirstAgainstAllEnds) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    std::array<task_handle<int>, 3> handles{spawn(racing_child(random(), counts)),
                                            spawn(racing_child(random(), counts)),
                                            spawn(racing_child(random(), counts))};
    const auto some =
        co_await wait(handles, when::first_completed, random() % 2 == 0 ? forever : duration(5us));
    EXPECT_EQ(some.done.size() + some.pending.size(), 3u);
    for (const task_handle<int>& ended : some.done) {
      EXPECT_TRUE(ended.done());
    }
    const auto all = co_await wait(handles);
    EXPECT_EQ(all.done.size(), 3u);
    for (const task_handle<int>& child : handles) {
      counts.add(child);
    }
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
  EXPECT_EQ(counts.completed(), 3 * n);
}

TEST_F(JoinRace, CancelAndWaitAgainstTheEnd) {
  end_counts counts;
  const auto child = [&](unsigned kind, std::atomic<int>& live) -> task<int> {
    const live_mark mark(live);
    co_return co_await racing_child(kind, counts, true);
  };
  const round each = [&](dice& random) -> task<> {
    std::atomic<int> live{0};
    const task_handle<int> handle = spawn(child(random(), live));
    for (unsigned i = random() % 3; i != 0; --i) {
      co_await yield();
    }
    co_await gather(cancel_and_wait(handle), cancel_and_wait(handle, "again"));
    EXPECT_EQ(live.load(), 0);
    counts.add(handle);
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(n);
}

TEST_F(JoinRace, FollowThroughAgainstTheCancelOfItsCaller) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    const task_handle<int> handle = spawn(racing_child(random(), counts, true));
    task_handle<> canceller;
    bool went_on = false;
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      canceller = spawn(cancel_later(scope.handle(), random() % 4));
      const int value = co_await follow_through(handle);
      EXPECT_EQ(value, 7);
      went_on = true;
    });
    EXPECT_TRUE(went_on || seen.cancelled_caught);
    EXPECT_TRUE(handle.done() || !went_on);
    co_await cancel_and_wait(handle);  // The cancel may have come before the await was entered.
    counts.add(handle);
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(n);
}

// ---- Destruction right after the join -----------------------------------------------------------

// An operation that another task completes while it is perhaps asked to stop. What it has in common with
// that task outlives it; it itself may go as soon as it has been awaited.
class shared_operation {
 public:
  using value_type = int;

  struct common {
    std::mutex mutex;
    completion<int> done;
    bool started = false;
    bool early = false;  // Completed before it was started.
  };

  explicit shared_operation(std::shared_ptr<common> with) : with_(std::move(with)) {}

  void start(completion<int> done) {
    const std::lock_guard lock(with_->mutex);
    if (with_->early) {
      done.complete(7);
    } else {
      with_->started = true;
      with_->done = std::move(done);
    }
  }

  void cancel() noexcept {
    completion<int> mine;
    bool started = false;
    {
      const std::lock_guard lock(with_->mutex);
      started = with_->started;
      mine = with_->done;
    }
    if (started) {
      mine.stopped();
    }
  }

 private:
  std::shared_ptr<common> with_;
};

task<> complete_later(std::shared_ptr<shared_operation::common> with, unsigned delay) {
  for (unsigned i = 0; i != delay; ++i) {
    co_await yield();
  }
  completion<int> theirs;
  bool started = false;
  {
    const std::lock_guard lock(with->mutex);
    with->early = true;
    started = with->started;
    theirs = with->done;
  }
  if (started) {
    theirs.complete(7);
  }
}

TEST_F(JoinRace, DestructionRightAfterAGatherOfOperations) {
  std::atomic<long> delivered{0};
  std::atomic<long> stopped{0};
  const round each = [&](dice& random) -> task<> {
    std::array<std::shared_ptr<shared_operation::common>, 2> commons;
    std::vector<task_handle<>> others;
    alignas(shared_operation) std::array<std::byte, 2 * sizeof(shared_operation)> storage;
    std::array<shared_operation*, 2> operations{};
    for (std::size_t i = 0; i != 2; ++i) {
      commons.at(i) = std::make_shared<shared_operation::common>();
      operations.at(i) =
          ::new (storage.data() + i * sizeof(shared_operation)) shared_operation(commons.at(i));
    }
    bool went_on = false;
    const auto seen = co_await with_scope([&](cancel_scope& scope) -> task<> {
      others.push_back(spawn(cancel_later(scope.handle(), random() % 6)));
      for (const auto& common : commons) {
        others.push_back(spawn(complete_later(common, random() % 6)));
      }
      auto [a, b] = co_await gather(perform(*operations[0]), perform(*operations[1]));
      EXPECT_EQ(a + b, 14);
      went_on = true;
    });
    for (shared_operation* operation : operations) {
      operation->~shared_operation();
    }
    std::memset(storage.data(), 0xDD, storage.size());
    EXPECT_TRUE(went_on || seen.cancelled_caught);
    (went_on ? delivered : stopped).fetch_add(1);
    for (const task_handle<>& other : others) {
      co_await other;
    }
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(delivered.load() + stopped.load(), n);
  EXPECT_GT(delivered.load(), 0);
}

}  // namespace
}  // namespace coppice
