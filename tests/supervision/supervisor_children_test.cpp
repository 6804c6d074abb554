// Who may add children to a supervisor, until when, how many, and that they cost nothing once ended.
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/report_log.h"
#include "tests/support/resident_memory.h"
#include "tests/support/sanitizers.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::report_log;
using testing_support::resident_bytes;
using testing_support::rounds;
using testing_support::sleeper;
using testing_support::under_address_sanitizer;
using testing_support::under_thread_sanitizer;

class SupervisorChildren : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, SupervisorChildren, testing::Values(1u, 2u, 4u));

TEST_P(SupervisorChildren, AreCountedWhileTheyLive) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      for (int i = 1; i <= 3; ++i) {
        s.spawn(sleeper(i * 10s));
      }
      for (std::size_t left = 3; left != 0; --left) {
        EXPECT_EQ(s.size(), left);
        co_await sleep_for(left == 3 ? 15s : 10s);
      }
      EXPECT_EQ(s.size(), 0u);
    });
  });
}

TEST_P(SupervisorChildren, ComeThroughItsHandleFromAnotherTree) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    scope_handle handle;
    task_handle<> other;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      handle = s.handle();
      other = spawn([&]() -> task<> {
        handle.spawn([&]() -> task<> {
          co_await sleep_for(10s);
          ran.fetch_add(1);
        });
        co_return;
      });
      co_await other;
    });
    EXPECT_EQ(ran.load(), 1);
    EXPECT_EQ(test_clock().elapsed(), 10s);
  });
}

TEST_P(SupervisorChildren, A11OfOneThatIsGoneAreRefused) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    scope_handle handle;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      handle = s.handle();
      EXPECT_FALSE(handle.closed());
      co_return;
    });
    EXPECT_TRUE(handle.closed());
    EXPECT_THROW(handle.spawn([&] { ran.fetch_add(1); }), scope_closed);
    EXPECT_FALSE(handle.try_spawn([&] { ran.fetch_add(1); }).has_value());
    handle.cancel("too late");
    handle.request_shutdown();
    co_await sleep_for(1s);
  });
  EXPECT_EQ(ran.load(), 0);
}

TEST_P(SupervisorChildren, A11OfACancelledOneNeverRun) {
  std::atomic<int> ran{0};
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.cancel("closing");
      const task_handle<> child = s.spawn([&]() -> task<> {
        ran.fetch_add(1);
        co_return;
      });
      EXPECT_EQ(child.status(), task_status::cancelled);
      EXPECT_EQ(child.result().reason().message(), "closing");
      co_return;
    });
  });
  EXPECT_EQ(ran.load(), 0);
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(SupervisorChildren, A11TrySpawnLeavesARefusedTaskInTheCallersHands) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      ran.fetch_add(1);
      co_return;
    };
    task<> refused = work();
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.cancel("closing");
      EXPECT_FALSE(s.try_spawn(std::move(refused)).has_value());
      co_return;
    });
    EXPECT_TRUE(static_cast<bool>(refused));
    co_await std::move(refused);
  });
  EXPECT_EQ(ran.load(), 1);
}

TEST_P(SupervisorChildren, AreNoMoreThanItsLimit) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor({.max_children = 2}, [](supervisor& s) -> task<> {
      s.spawn(sleeper(1s));
      s.spawn(sleeper(1h));
      EXPECT_THROW(s.spawn(sleeper(1h)), resource_exhausted);
      EXPECT_FALSE(s.try_spawn(sleeper(1h)).has_value());
      EXPECT_EQ(s.size(), 2u);
      co_await sleep_for(2s);
      EXPECT_TRUE(s.try_spawn(sleeper(1h)).has_value()) << "one has ended, so there is room again";
    });
  });
}

TEST(SupervisorForeign, TakesChildrenFromPlainThreads) {
  constexpr int threads = 4;
  constexpr int of_each = 250;
  std::atomic<int> ran{0};
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      scope_handle handle = s.handle();
      std::vector<std::jthread> spawners;
      for (int i = 0; i != threads; ++i) {
        spawners.emplace_back([&ran, handle]() mutable {
          for (int k = 0; k != of_each; ++k) {
            handle.spawn([&ran] { ran.fetch_add(1); });
          }
        });
      }
      co_return;  // The threads are joined here.
    });
    EXPECT_EQ(ran.load(), threads * of_each);
  });
}

// ---- Children without number --------------------------------------------------------------------

std::size_t bytes_in_use() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A value, a failure, or one who sleeps until he is cancelled.
task<> child_of_kind(int kind) {
  if (kind == 1) {
    throw std::runtime_error("one of very many");
  }
  if (kind == 2) {
    co_await sleep_for(1h);
  }
}

TEST_P(SupervisorChildren, A10KeepMemoryConstantThoughTheyAreAMillion) {
  constexpr int at_once = 100;
  std::atomic<long> reports{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error([&](const error_report&) { reports.fetch_add(1); });
      const long batches = rounds(1'000'000, 100'000) / at_once;
      long failures = 0;
      std::size_t frames = 0;
      std::size_t in_use = 0;
      std::size_t resident = 0;
      for (long batch = 0; batch != batches; ++batch) {
        if (batch == batches / 4) {  // All pools have the size they need.
          frames = rt.live_frames();
          in_use = bytes_in_use();
          resident = resident_bytes();
        }
        for (int i = 0; i != at_once; ++i) {
          const int kind = i % 3;
          const task_handle<> child = s.spawn(child_of_kind(kind));
          failures += kind == 1 ? 1 : 0;
          if (kind == 2) {
            child.cancel("not wanted");
          }
        }
        co_await sleep_for(1s);
      }
      EXPECT_EQ(s.size(), 0u);
      EXPECT_EQ(reports.load(), failures);
      // Those of workers that are still on their way to rest do not count.
      EXPECT_LT(rt.live_frames(), frames + at_once);
      if (!under_address_sanitizer && !under_thread_sanitizer) {  // Theirs grows by itself.
        // Each worker's pools may take another slab; 75 000 children that leave 16 bytes each are more.
        EXPECT_LT(bytes_in_use(), in_use + 1024 * 1024);
        EXPECT_LT(resident_bytes(), resident + 4 * 1024 * 1024);
      }
    });
  });
}

// ---- In an order that the seed decides ----------------------------------------------------------

TEST(SupervisorSeeded, EachChildEndsOnceAsItWasMeant) {
  constexpr int children = 200;
  report_log log;
  test_runtime rt{{.workers = 1}};
  SCOPED_TRACE(rt.seed());
  std::minstd_rand random(static_cast<unsigned>(rt.seed()));
  rt.block_on([&]() -> task<> {
    std::vector<std::pair<int, task_handle<>>> all;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      for (int i = 0; i != children; ++i) {
        const int kind = static_cast<int>(random() % 3);
        all.emplace_back(kind, s.spawn(child_of_kind(kind)));
        if (random() % 8 == 0) {
          co_await sleep_for(std::chrono::milliseconds(random() % 100));
        }
      }
      co_await wait_all_tasks_blocked();
      for (const auto& [kind, child] : all) {
        if (kind == 2) {
          child.cancel("not wanted");
        }
      }
    });
    std::size_t failures = 0;
    for (const auto& [kind, child] : all) {
      const task_status meant = kind == 0   ? task_status::completed
                                : kind == 1 ? task_status::failed
                                            : task_status::cancelled;
      EXPECT_EQ(child.status(), meant);
      failures += kind == 1 ? 1 : 0;
    }
    EXPECT_EQ(log.size(), failures);
  });
}

}  // namespace
}  // namespace coppice
