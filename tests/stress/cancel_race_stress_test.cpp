// Races of cancels that come from everywhere: children, handlers, destructors, threads, and twice.
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/supervisor.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/racing.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::dice;
using testing_support::end_counts;
using testing_support::race_test;
using testing_support::racing_child;
using testing_support::racing_failure;
using testing_support::rounds;

class CancelRace : public race_test {};

constexpr long all_rounds = 1'000'000;

// Cancels from another task of another scope, at some time; perhaps when the scope has gone.
task<> cancel_later(scope_handle scope, unsigned delay) {
  for (unsigned i = 0; i != delay; ++i) {
    co_await yield();
  }
  scope.cancel("raced");
}

using three_handles = std::array<task_handle<int>, 3>;

void add_all(end_counts& counts, const three_handles& handles) {
  for (const task_handle<int>& each : handles) {
    counts.add(each);
  }
}

TEST_F(CancelRace, CancelFromChildrenTwiceKeepsOneReason) {
  end_counts counts;
  const auto cancelling = [&](task_group& g, unsigned delay, const char* why) -> task<int> {
    for (unsigned i = 0; i != delay; ++i) {
      co_await yield();
    }
    g.cancel(why);
    g.cancel("again");
    counts.note_return();
    co_return 7;
  };
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    cancel_reason kept("none yet");
    co_await with_group([&](task_group& g) -> task<> {
      handles[0] = g.spawn(racing_child(4, counts, true));  // One that stays.
      handles[1] = g.spawn(cancelling(g, random() % 3, "one"));
      handles[2] = g.spawn(cancelling(g, random() % 3, "other"));
      const outcome<> end = co_await as_result(sleep_for(1h));
      EXPECT_TRUE(end.cancelled());
      kept = g.reason();
    });
    add_all(counts, handles);
    EXPECT_TRUE(kept.message() == "one" || kept.message() == "other") << kept.message();
    EXPECT_EQ(handles[0].result().reason().message(), kept.message());
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

TEST_F(CancelRace, CancelFromAHandler) {
  end_counts counts;
  std::atomic<long> told{0};
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      const scope_handle own = s.handle();
      s.on_error([&told, own](const error_report&) {
        told.fetch_add(1);
        own.cancel("from a handler");
      });
      handles[0] = s.spawn(racing_child(4, counts, true));  // One that stays.
      handles[1] = s.spawn(racing_failure(0, counts));
      handles[2] = s.spawn(racing_failure(random(), counts));
      co_return;
    });
    add_all(counts, handles);
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
  EXPECT_EQ(told.load(), counts.failed()) << "each failure is told once";
}

struct cancels_when_destroyed {
  explicit cancels_when_destroyed(scope_handle of) : scope(std::move(of)) {}
  cancels_when_destroyed(const cancels_when_destroyed&) = delete;
  ~cancels_when_destroyed() {
    scope.cancel("from a destructor");
    scope.cancel("again");
  }
  scope_handle scope;
};

TEST_F(CancelRace, CancelFromADestructor) {
  end_counts counts;
  const auto destroying = [&](scope_handle scope, unsigned kind) -> task<int> {
    const cancels_when_destroyed guard(std::move(scope));
    co_return co_await racing_child(kind, counts);
  };
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    task_handle<> canceller;
    co_await with_group([&](task_group& g) -> task<> {
      canceller = spawn(cancel_later(g.handle(), random() % 4));
      handles[0] = g.spawn(racing_child(4, counts, true));  // One that stays.
      handles[1] = g.spawn(destroying(g.handle(), random()));
      handles[2] = g.spawn(destroying(g.handle(), random()));
      co_return;
    });
    add_all(counts, handles);
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

// Hands scopes to a thread that belongs to no runtime.
class cancelling_thread {
 public:
  void give(scope_handle scope) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(scope));
  }

 private:
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<scope_handle> mine;
      {
        const std::lock_guard lock(mutex_);
        mine.swap(waiting_);
      }
      for (const scope_handle& each : mine) {
        each.cancel("from a thread");
        each.cancel("again");
      }
      if (mine.empty()) {
        std::this_thread::yield();
      }
    }
  }

  std::mutex mutex_;
  std::vector<scope_handle> waiting_;
  std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

TEST_F(CancelRace, CancelFromPlainThreads) {
  end_counts counts;
  std::array<cancelling_thread, 2> threads;
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    co_await with_group([&](task_group& g) -> task<> {
      for (cancelling_thread& thread : threads) {
        thread.give(g.handle());
      }
      for (task_handle<int>& child : handles) {
        child = g.spawn(racing_child(random(), counts, true));
      }
      co_return;
    });
    add_all(counts, handles);
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

TEST_F(CancelRace, CancelOfAChildAgainstItsEndAndItsGroup) {
  end_counts counts;
  const auto cancel_child = [](task_ref child, unsigned delay) -> task<> {
    for (unsigned i = 0; i != delay; ++i) {
      co_await yield();
    }
    child.cancel("raced");
    child.cancel("again");
  };
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    std::vector<task_handle<>> cancellers;
    co_await with_group([&](task_group& g) -> task<> {
      for (task_handle<int>& child : handles) {
        child = g.spawn(racing_child(random(), counts, true));
        cancellers.push_back(spawn(cancel_child(child, random() % 4)));
      }
      cancellers.push_back(spawn(cancel_later(g.handle(), random() % 8)));
      co_return;
    });
    add_all(counts, handles);
    for (const task_handle<>& canceller : cancellers) {
      co_await canceller;
    }
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

}  // namespace
}  // namespace coppice
