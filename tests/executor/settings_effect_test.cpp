// Each variable's effect, seen from outside: not that it is read, but that something obeys it.
#include "executor/executor_state.h"

#include <coppice/blocking.h>
#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <pthread.h>
#include <sched.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "executor/cpu.h"
#include "tests/support/accounting.h"
#include "tests/support/environment.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::environment_guard;

class SettingsEffect : public testing_support::accounted_test {};

std::size_t threads_of_process() {
  using directory = std::filesystem::directory_iterator;
  return static_cast<std::size_t>(std::distance(directory("/proc/self/task"), directory()));
}

// The CPUs on which a thread may run that this executor has.
detail::cpu_list cpus_of_a_worker() {
  accounted_executor tasks({.threads = 1});
  return tasks.block_on([] { return detail::affinity(); });
}

std::uint64_t parks(const executor& tasks) {
  return tasks.state().core->workers[0]->counters().parks.load(std::memory_order_relaxed);
}

std::uint64_t forced_yields_of_1000_ready_awaits() {
  accounted_executor tasks({.threads = 1});
  tasks.block_on([]() -> task<> {
    const task_handle<int> ended = spawn([] { return 1; });
    for (int i = 0; i != 1'000; ++i) {
      co_await ended;
    }
  });
  return tasks.state().core->workers[0]->counters().forced_yields.load(std::memory_order_relaxed);
}

task<int> deep(int depth) {
  if (depth == 0) {
    co_return 0;
  }
  co_return 1 + co_await deep(depth - 1);
}

TEST_F(SettingsEffect, OfThreads) {
  std::thread([] {}).join();  // With its first thread a sanitizer may start one of its own.
  const std::size_t before = threads_of_process();
  for (const char* n : {"1", "3"}) {
    const environment_guard environment("COPPICE_THREADS", n);
    const accounted_executor tasks;
    EXPECT_EQ(tasks.workers(), static_cast<unsigned>(std::stoi(n)));
    EXPECT_EQ(threads_of_process(), before + tasks.workers());
  }
}

TEST_F(SettingsEffect, OfPin) {
  const detail::cpu_list all = detail::affinity();
  {
    const environment_guard environment("COPPICE_PIN", "none");
    EXPECT_EQ(cpus_of_a_worker(), all);
  }
  {
    const environment_guard environment("COPPICE_PIN", "compact");
    EXPECT_EQ(cpus_of_a_worker(), detail::cpu_list{all.front()});
  }
  {
    const environment_guard environment("COPPICE_PIN", "list:" + std::to_string(all.back()));
    EXPECT_EQ(cpus_of_a_worker(), detail::cpu_list{all.back()});
  }
}

// At least that long, however busy the machine is.
TEST_F(SettingsEffect, OfSpin) {
  const auto from_work_to_rest = [](const char* spin) {
    const environment_guard environment("COPPICE_SPIN", spin);
    accounted_executor tasks({.threads = 1});
    const auto [at_work, before] =
        tasks.block_on([&tasks] { return std::pair(clock::now(), parks(tasks)); });
    while (parks(tasks) == before) {
      std::this_thread::yield();
    }
    return clock::now() - at_work;
  };
  EXPECT_GE(from_work_to_rest("10ms"), 10ms);
  EXPECT_GT(from_work_to_rest("0ms"), duration::zero()) << "it goes to rest at once";
}

TEST_F(SettingsEffect, OfYieldBudget) {
  {
    const environment_guard environment("COPPICE_YIELD_BUDGET", "10");
    EXPECT_GE(forced_yields_of_1000_ready_awaits(), 90u);
  }
  const environment_guard environment("COPPICE_YIELD_BUDGET", "65535");
  EXPECT_EQ(forced_yields_of_1000_ready_awaits(), 0u);
}

TEST_F(SettingsEffect, OfMaxTasks) {
  const environment_guard environment("COPPICE_MAX_TASKS", "2");
  accounted_executor tasks({.threads = 1});
  const auto sleeps = []() -> task<> { co_await sleep_for(forever); };
  tasks.spawn(sleeps);
  tasks.spawn(sleeps);
  EXPECT_THROW(tasks.spawn(sleeps), resource_exhausted);
}

TEST_F(SettingsEffect, OfFrameCache) {
  const auto held_when_idle = [](const char* limit, bool expect_kept) {
    const environment_guard environment("COPPICE_FRAME_CACHE", limit);
    accounted_executor tasks({.threads = 1});
    return tasks.block_on([&]() -> task<std::size_t> {
      co_await deep(20'000);
      const std::size_t at_most = detail::this_worker()->frames.held_bytes();
      // The worker gives memory back some milliseconds after it went to sleep.
      std::size_t held = at_most;
      for (int i = 0; i != (expect_kept ? 3 : 500) && held == at_most; ++i) {
        co_await sleep_for(15ms);
        held = detail::this_worker()->frames.held_bytes();
      }
      co_return held;
    });
  };
  const std::size_t kept = held_when_idle("64M", true);
  if (kept == 0) {
    GTEST_SKIP() << "frames are not pooled in this build";
  }
  EXPECT_GT(kept, std::size_t{1} << 20);
  // What this very task lies in stays, and what it has cut off from.
  EXPECT_LE(held_when_idle("0", false), std::size_t{256} * 1024);
  EXPECT_LE(held_when_idle("512K", false), std::size_t{768} * 1024);
}

TEST_F(SettingsEffect, OfBlockingThreads) {
  for (const std::size_t limit : {std::size_t{1}, std::size_t{3}}) {
    const environment_guard environment("COPPICE_BLOCKING_THREADS", std::to_string(limit));
    std::latch met(static_cast<std::ptrdiff_t>(limit));
    accounted_executor tasks({.threads = 1});
    // They meet, so none waits for another's thread; then there is one more.
    const auto meet = [&]() -> task<> { co_await spawn_blocking([&] { met.arrive_and_wait(); }); };
    for (std::size_t i = 0; i != limit; ++i) {
      tasks.spawn(meet);
    }
    tasks.wait_until_idle();
    tasks.block_on([]() -> task<> { co_await spawn_blocking([] {}); });
    EXPECT_EQ(tasks.state().core->blocking.threads(), limit);
  }
}

TEST_F(SettingsEffect, OfStackSize) {
  const auto stack_of_a_worker = [] {
    accounted_executor tasks({.threads = 1});
    return tasks.block_on([] {
      pthread_attr_t attributes;
      ::pthread_getattr_np(::pthread_self(), &attributes);
      void* lowest = nullptr;
      std::size_t bytes = 0;
      ::pthread_attr_getstack(&attributes, &lowest, &bytes);
      ::pthread_attr_destroy(&attributes);
      return bytes;
    });
  };
  // The C library may hand out a stack that it has kept, of up to four times the size.
  for (const std::size_t mebi : {std::size_t{1}, std::size_t{40}}) {
    const environment_guard environment("COPPICE_STACK_SIZE", std::to_string(mebi) + "M");
    const std::size_t bytes = stack_of_a_worker();
    EXPECT_GE(bytes, mebi << 20);
    EXPECT_LE(bytes, mebi << 22);
  }
}

TEST_F(SettingsEffect, OfDisplayEnv) {
  const auto printed_at_start = [](const char* mode) {
    const environment_guard environment("COPPICE_DISPLAY_ENV", mode);
    testing::internal::CaptureStderr();
    {
      const accounted_executor tasks({.threads = 1});
    }
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(printed_at_start("0"), "");
  const std::string brief = printed_at_start("1");
  EXPECT_NE(brief.find("COPPICE_THREADS='1'"), std::string::npos) << brief;
  EXPECT_GT(printed_at_start("verbose").size(), brief.size());
}

TEST_F(SettingsEffect, OfStrict) {
  environment_guard environment("COPPICE_THREADS", "effect of strict");
  testing::internal::CaptureStderr();
  EXPECT_NO_THROW(accounted_executor());
  EXPECT_NE(testing::internal::GetCapturedStderr().find("effect of strict"), std::string::npos);
  environment.set("COPPICE_STRICT", "1");
  EXPECT_THROW(accounted_executor(), usage_error);
}

void fail_untaken() {
  executor tasks({.threads = 1});
  tasks.spawn([] { throw std::runtime_error("nobody takes it"); });
  tasks.wait_until_idle();
}

TEST_F(SettingsEffect, OfUnhandledReportAndSilent) {
  for (const bool silent : {false, true}) {
    const environment_guard environment("COPPICE_UNHANDLED", silent ? "silent" : "report");
    testing::internal::CaptureStderr();
    fail_untaken();
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_EQ(printed.find("nobody takes it") == std::string::npos, silent) << printed;
  }
}

using SettingsEffectDeathTest = SettingsEffect;

TEST_F(SettingsEffectDeathTest, OfUnhandledTerminate) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const environment_guard environment("COPPICE_UNHANDLED", "terminate");
  EXPECT_DEATH(fail_untaken(), "nobody takes it");
}

}  // namespace
}  // namespace coppice
