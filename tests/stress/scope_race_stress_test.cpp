// Races of a scope's end with those who hold its handle, its token or its gate, on whatever thread.
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/spawn.h>
#include <coppice/supervisor.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/race.h"
#include "tests/support/racing.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::dice;
using testing_support::end_counts;
using testing_support::race;
using testing_support::race_test;
using testing_support::racing_child;
using testing_support::rounds;

class ScopeRace : public race_test {};

constexpr long all_rounds = 1'000'000;

task<> after_yields(unsigned count, const std::function<void()>& action) {
  for (unsigned i = 0; i != count; ++i) {
    co_await yield();
  }
  action();
}

// A thread that belongs to no runtime, and does what it is given.
class plain_thread {
 public:
  void give(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
  }

 private:
  void run(const std::stop_token& stop) {
    for (bool over = false; !over;) {
      over = stop.stop_requested();  // Then once more, for what was given before.
      std::vector<std::function<void()>> mine;
      {
        const std::lock_guard lock(mutex_);
        mine.swap(waiting_);
      }
      for (const std::function<void()>& each : mine) {
        each();
      }
      if (mine.empty()) {
        std::this_thread::yield();
      }
    }
  }

  std::mutex mutex_;
  std::vector<std::function<void()>> waiting_;
  std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

// A group that waits for its cancel, and what a plain thread could spawn into it.
struct raced_group {
  scope_handle group;
  task_handle<> host;
  std::array<std::optional<task_handle<int>>, 2> children;
};

TEST_F(ScopeRace, CancelAgainstSpawnFromAPlainThread) {
  constexpr std::size_t batch = 64;  // Rounds between two meetings of the threads.
  end_counts counts;
  long spawned = 0;
  std::atomic<std::size_t> opened{0};
  std::atomic<std::size_t> reached{0};
  std::vector<raced_group> groups;
  unsigned kind = 0;
  const auto hosting = [&](raced_group& each) -> task<> {
    co_await with_group([&](task_group& g) -> task<> {
      each.group = g.handle();
      opened.fetch_add(1);
      co_await sleep_for(forever);
    });
  };
  runtime rt(several_threads());
  const auto before = [&] {
    opened = 0;
    reached = 0;
    groups.clear();
    groups.resize(batch);
    for (raced_group& each : groups) {
      each.host = rt.spawn(hosting, std::ref(each));
    }
    while (opened.load() != batch) {
      std::this_thread::yield();
    }
  };
  const auto spawning = [&] {
    for (raced_group& each : groups) {
      ++kind;
      reached.fetch_add(1);
      each.children[0] = each.group.try_spawn(racing_child(kind, counts, true));
      try {
        each.children[1] = each.group.spawn(racing_child(kind + 1, counts, true));
      } catch (const scope_closed&) {
      }
    }
  };
  const auto cancelling = [&] {
    for (std::size_t i = 0; i != batch; ++i) {  // At the heels of the other, or a step ahead.
      while (reached.load() + i % 2 < i + 1) {
        std::this_thread::yield();
      }
      groups[i].group.cancel("raced");
    }
  };
  const auto after = [&] {
    for (const raced_group& each : groups) {
      while (!each.host.done()) {
        std::this_thread::yield();
      }
      for (const auto& child : each.children) {
        if (child) {
          ++spawned;
          counts.add(*child);  // Also one spawned behind the cancel has ended with the group.
        }
      }
    }
  };
  race(rounds(all_rounds) / static_cast<long>(batch) + 1, before, {spawning, cancelling}, after);
  counts.expect_exact(spawned);
  EXPECT_GT(spawned, 0);
}

TEST_F(ScopeRace, CancelAgainstTheScopesOwnDeadline) {
  end_counts counts;
  std::atomic<long> odd{0};
  const round each = [&](dice& random) -> task<> {
    std::array<task_handle<int>, 2> handles;
    task_handle<> canceller;
    const duration limit = std::chrono::microseconds(random() % 30);
    const auto in_group = [&](task_group& g) -> task<> {
      for (task_handle<int>& child : handles) {
        child = g.spawn(racing_child(4, counts, true));  // One that stays.
      }
      co_await sleep_for(1h);
    };
    const auto body = [&](cancel_scope& scope) -> task<> {
      const std::function<void()> cancel = [held = scope.handle()] { held.cancel("raced"); };
      canceller = spawn(after_yields, random() % 8, cancel);
      co_await with_group(in_group);
    };
    const scope_result<void> seen = co_await with_scope({.timeout = limit}, body);
    odd.fetch_add(seen.cancelled_caught ? 0 : 1);
    odd.fetch_add(seen.expired == (seen.reason.kind() == cancel_kind::deadline) ? 0 : 1);
    for (const task_handle<int>& child : handles) {
      counts.add(child);
      odd.fetch_add(child.result().reason().kind() == seen.reason.kind() ? 0 : 1);
    }
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(2 * n);
  EXPECT_EQ(counts.cancelled(), 2 * n);
  EXPECT_EQ(odd.load(), 0) << "one reason for all, and expired says which";
}

TEST_F(ScopeRace, CancelAgainstTheReadyHandshake) {
  end_counts counts;
  std::atomic<long> broken{0};
  const round each = [&](dice& random) -> task<> {
    task_handle<int> inner;
    task_handle<> canceller;
    bool started = false;
    const auto child = [&](basic_start_gate<int>& gate, unsigned kind) -> task<> {
      for (unsigned i = 0; i != kind % 4; ++i) {
        co_await yield();
      }
      gate.started(7);
      co_await sleep_for(1h);
    };
    co_await with_group([&](task_group& g) -> task<> {
      const std::function<void()> cancel = [scope = g.handle()] { scope.cancel("raced"); };
      canceller = spawn(after_yields, random() % 8, cancel);
      inner = g.spawn(racing_child(random(), counts, true));
      const int value = co_await g.start<int>(child, random());
      started = true;
      if (value != 7) {
        broken.fetch_add(1);
      }
      co_await sleep_for(1h);  // Until the cancel, if that has not come.
    });
    counts.add(inner);
    co_await canceller;
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(n);
  EXPECT_EQ(broken.load(), 0);
}

TEST_F(ScopeRace, TokensAgainstTheExitAndACancel) {
  std::atomic<long> taken_back{0};
  std::atomic<long> lost{0};
  plain_thread beside;
  const round each = [&](dice& random) -> task<> {
    cancel_token token;
    task_handle<> canceller;
    bool cancelled_inside = false;
    co_await with_scope([&](cancel_scope& scope) -> task<> {
      token = scope.token();
      const std::function<void()> cancel = [handle = scope.handle()] { handle.cancel("raced"); };
      canceller = spawn(after_yields, random() % 4, cancel);
      beside.give([&taken_back, token] {
        const bool before = token.stop_requested();
        const std::stop_token foreign = token.to_std_stop_token();
        if (before && !token.stop_requested()) {
          taken_back.fetch_add(1);
        }
      });
      const unsigned turns = random() % 4;
      for (unsigned i = 0; i != turns; ++i) {
        co_await yield();
      }
      cancelled_inside = scope.cancelled();
    });
    co_await canceller;
    if (cancelled_inside && !token.stop_requested()) {
      lost.fetch_add(1);
    }
    const std::stop_token foreign = token.to_std_stop_token();
    while (token.stop_requested() && !foreign.stop_requested()) {
      co_await yield();  // For ever, if nobody marks it.
    }
  };
  runtime rt(several_threads());
  run_rounds(rt, rounds(all_rounds), each);
  EXPECT_EQ(taken_back.load(), 0);
  EXPECT_EQ(lost.load(), 0);
}

// What comes too late meets bytes that are nobody's.
class poisoned_supervisor {
 public:
  poisoned_supervisor() : jobs_(::new(static_cast<void*>(storage_)) manual_supervisor) {}
  poisoned_supervisor(const poisoned_supervisor&) = delete;
  ~poisoned_supervisor() {
    jobs_->~manual_supervisor();
    std::memset(storage_, 0xDD, sizeof storage_);
  }
  manual_supervisor& operator*() const noexcept { return *jobs_; }

 private:
  alignas(manual_supervisor) std::byte storage_[sizeof(manual_supervisor)];
  manual_supervisor* jobs_;
};

TEST_F(ScopeRace, ShutdownsAgainstEndsAndDestructionRightBehind) {
  end_counts counts;
  const round each = [&](dice& random) -> task<> {
    std::array<task_handle<int>, 3> handles;
    std::array<task_handle<>, 2> enders;
    {
      poisoned_supervisor jobs;
      (*jobs).open();
      for (task_handle<int>& child : handles) {
        child = (*jobs).spawn(racing_child(random(), counts, true));
      }
      const scope_handle scope = (*jobs).handle();
      const std::function<void()> request = [scope] { scope.request_shutdown(); };
      const std::function<void()> cancel = [scope] { scope.cancel("raced"); };
      enders[0] = spawn(after_yields, random() % 4, request);
      enders[1] = spawn(after_yields, random() % 4, cancel);
      if (random() % 2 == 0) {
        const shutdown_report report = co_await (*jobs).shutdown();
        EXPECT_TRUE(report);
      } else {
        co_await (*jobs).close();
      }
    }
    for (const task_handle<int>& child : handles) {
      counts.add(child);
    }
    for (const task_handle<>& ender : enders) {
      co_await ender;
    }
  };
  runtime rt(several_threads());
  const long n = run_rounds(rt, rounds(all_rounds), each);
  counts.expect_exact(3 * n);
}

}  // namespace
}  // namespace coppice
