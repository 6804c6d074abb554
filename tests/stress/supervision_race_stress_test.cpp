// Races of a scope's cancel with everything that may happen at the same time.
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

class SupervisionRace : public race_test {};

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

TEST_F(SupervisionRace, CancelAgainstTheCompletionOfTheLastChild) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    task_handle<> canceller;
    const bool may_stay = random() % 2 == 0;
    co_await with_group([&](task_group& g) -> task<> {
      canceller = spawn(cancel_later(g.handle(), random() % 4));
      for (task_handle<int>& child : handles) {
        child = g.spawn(racing_child(random(), counts, may_stay));
      }
      co_return;
    });
    add_all(counts, handles);
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
  EXPECT_EQ(counts.failed(), 0);
  EXPECT_GT(counts.completed(), 0);
}

// Four children, as long as the scope takes them.
task<std::vector<task_handle<int>>> spawn_into(scope_handle scope, unsigned kind,
                                               end_counts& counts) {
  std::vector<task_handle<int>> handles;
  try {
    for (unsigned i = 0; i != 4; ++i) {
      handles.push_back(scope.spawn(racing_child(kind + i, counts, true)));
      if (kind % 2 == 0) {
        co_await yield();
      }
    }
  } catch (const scope_closed&) {
  }
  co_return std::move(handles);
}

TEST_F(SupervisionRace, CancelAgainstSpawnFromElsewhere) {
  end_counts counts;
  std::atomic<long> spawned{0};
  const round each = [&](dice& random) -> task<> {
    using spawner_handle = task_handle<std::vector<task_handle<int>>>;
    std::array<spawner_handle, 2> spawners;
    task_handle<> canceller;
    co_await with_group([&](task_group& g) -> task<> {
      for (spawner_handle& spawner : spawners) {
        spawner = spawn(spawn_into(g.handle(), random(), counts));
      }
      canceller = spawn(cancel_later(g.handle(), random() % 8));
      co_await sleep_for(1h);  // Until the cancel.
    });
    for (const spawner_handle& spawner : spawners) {
      const std::vector<task_handle<int>>& handles = co_await spawner;
      spawned.fetch_add(static_cast<long>(handles.size()));
      for (const task_handle<int>& child : handles) {
        counts.add(child);  // Also one spawned behind the cancel has ended with the group.
      }
    }
    co_await canceller;
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(spawned.load());
  EXPECT_GT(counts.cancelled(), 0);
}

// Fails if it is destroyed while the code above it is shielded.
struct stop_watch {
  explicit stop_watch(std::atomic<long>& broken) : broken_(broken) {}
  ~stop_watch() {
    if (shielded) {
      broken_.fetch_add(1);
    }
  }
  // Volatile: clang 19 at -O2 hands the destructor of a local that nothing points to the value of the other suspension.
  volatile bool shielded = false;
  std::atomic<long>& broken_;
};

TEST_F(SupervisionRace, CancelAgainstShieldToggling) {
  std::atomic<long> broken{0};
  std::atomic<long> went_on{0};
  const round each = [&](dice& random) -> task<> {
    const auto toggle = [&](cancel_scope& inner) -> task<> {
      stop_watch watch(broken);
      for (;;) {
        inner.set_shield(true);
        watch.shielded = true;
        co_await yield();
        watch.shielded = false;
        inner.set_shield(false);
        co_await yield();
      }
    };
    task_handle<> canceller;
    const auto seen = co_await with_scope([&](cancel_scope& outer) -> task<> {
      canceller = spawn(cancel_later(outer.handle(), random() % 8));
      co_await with_scope(toggle);
      went_on.fetch_add(1);
    });
    EXPECT_TRUE(seen.cancelled_caught);
    co_await canceller;
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(broken.load(), 0);
  EXPECT_EQ(went_on.load(), 0);
}

TEST_F(SupervisionRace, CancelAgainstShieldTogglingAboveSuspendedChildren) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    task_handle<> canceller;
    const auto toggle = [&](task_group& inner) -> task<> {
      for (task_handle<int>& child : handles) {
        child = inner.spawn(racing_child(4, counts, true));  // One that stays.
      }
      for (;;) {
        inner.set_shield(true);
        inner.set_shield(false);
        co_await yield();
      }
    };
    co_await with_scope([&](cancel_scope& outer) -> task<> {
      canceller = spawn(cancel_later(outer.handle(), random() % 8));
      co_await with_group(toggle);
    });
    add_all(counts, handles);
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
  EXPECT_EQ(counts.cancelled(), 3 * n);
}

task<int> timed_child(unsigned kind, end_counts& counts) {
  try {
    co_await with_timeout(std::chrono::microseconds(kind % 20),
                          sleep_for(std::chrono::microseconds(kind / 20 % 20)));
  } catch (const timeout_error&) {
    counts.note_throw();
    throw;
  }
  counts.note_return();
  co_return 7;
}

TEST_F(SupervisionRace, CancelAgainstTimers) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    task_handle<> canceller;
    const auto body = [&](task_group& g) -> task<> {
      canceller = spawn(cancel_later(g.handle(), random() % 8));
      for (task_handle<int>& child : handles) {
        child = g.spawn(timed_child(random(), counts));
      }
      co_return;
    };
    const auto end = co_await as_result(with_group(body));
    add_all(counts, handles);
    std::size_t failed = 0;
    for (const task_handle<int>& child : handles) {
      failed += child.status() == task_status::failed ? 1 : 0;
    }
    const auto* group = end.entry().get_if<exception_group>();
    EXPECT_EQ(group == nullptr ? 0 : group->leaf_count(), failed);
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

// What comes too late meets bytes that are nobody's.
class poisoned_group {
 public:
  poisoned_group() : group_(::new(static_cast<void*>(storage_)) manual_group) {}
  poisoned_group(const poisoned_group&) = delete;
  ~poisoned_group() {
    group_->~manual_group();
    std::memset(storage_, 0xDD, sizeof storage_);
  }
  manual_group& operator*() const noexcept { return *group_; }

 private:
  alignas(manual_group) std::byte storage_[sizeof(manual_group)];
  manual_group* group_;
};

TEST_F(SupervisionRace, CancelAgainstDestructionRightAfterTheJoin) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    std::array<task_handle<>, 2> cancellers;
    {
      poisoned_group group;
      (*group).open();
      for (task_handle<>& canceller : cancellers) {
        canceller = spawn(cancel_later((*group).handle(), random() % 4));
      }
      for (task_handle<int>& child : handles) {
        child = (*group).spawn(racing_child(random(), counts, true));
      }
      co_await (*group).close();
    }
    add_all(counts, handles);
    for (const task_handle<>& canceller : cancellers) {
      co_await canceller;
    }
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

TEST_F(SupervisionRace, TwoFailuresAtOnce) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    three_handles handles;
    const auto body = [&](task_group& g) -> task<> {
      handles[0] = g.spawn(racing_failure(random(), counts));
      handles[1] = g.spawn(racing_failure(random(), counts));
      handles[2] = g.spawn(racing_child(random(), counts, true));
      co_return;
    };
    const auto end = co_await as_result(with_group(body));
    add_all(counts, handles);
    std::size_t failed = 0;
    for (const task_handle<int>& child : handles) {
      failed += child.status() == task_status::failed ? 1 : 0;
    }
    const auto* group = end.entry().get_if<exception_group>();
    EXPECT_EQ(group == nullptr ? 0 : group->exceptions().size(), failed);
    EXPECT_GE(failed, 1u);
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

}  // namespace
}  // namespace coppice
