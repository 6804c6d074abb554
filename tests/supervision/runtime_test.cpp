#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/accounted_runtime.h"
#include "tests/support/report_log.h"
#include "tests/support/sanitizers.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::report_log;
using testing_support::under_thread_sanitizer;

class Runtime : public testing_support::accounted_test {};

task<int> number(int n) {
  co_return n;
}
task<> sleeper(duration d) {
  co_await sleep_for(d);
}
task<> failing(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

TEST_F(Runtime, RunsAMainAndWhatItSpawns) {
  accounted_runtime rt({.threads = 2});
  EXPECT_EQ(rt.workers(), 2u);
  EXPECT_EQ(rt.effective_options().threads, 2u);
  EXPECT_EQ(rt.block_on(number(3)), 3);
  EXPECT_EQ(rt.block_on(number, 4), 4);
  EXPECT_EQ(rt.block_on([]() -> task<int> { co_return co_await spawn(number, 5); }), 5);
  EXPECT_THROW(rt.block_on(failing("main")), std::runtime_error);
}

TEST_F(Runtime, CancelsLeftoversWhenTheLastBlockOnReturnsAndIsUsableAgain) {
  accounted_runtime rt({.threads = 2});
  for (int i = 0; i != 3; ++i) {
    task_handle<> left;
    rt.block_on([&]() -> task<> {
      left = spawn(sleeper(1h));
      co_await yield();
    });
    EXPECT_EQ(left.status(), task_status::cancelled);
    EXPECT_EQ(left.result().reason().kind(), cancel_kind::shutdown);
    EXPECT_TRUE(rt.all_tasks().empty());
  }
  EXPECT_EQ(rt.beneath().counts().cancelled, 3u);
}

TEST_F(Runtime, LetsTasksSpawnedFromOutsideRunUntilABlockOnReturns) {
  accounted_runtime rt({.threads = 1});
  const task_handle<> outside = rt.spawn(sleeper(1h));
  EXPECT_FALSE(outside.done());
  rt.block_on([] {});
  EXPECT_EQ(outside.status(), task_status::cancelled);
}

TEST_F(Runtime, KeepsTasksWhileAnotherBlockOnGoesOn) {
  accounted_runtime rt({.threads = 2});
  task_handle<> kept;
  std::latch inner_returned(1);
  std::latch spawned(1);
  std::jthread other([&] {
    rt.block_on([&]() -> task<> {
      kept = spawn(sleeper(1h));
      spawned.count_down();
      while (!inner_returned.try_wait()) {
        co_await yield();
      }
      EXPECT_FALSE(kept.done()) << "this block_on is the last";
    });
  });
  spawned.wait();
  rt.block_on([] {});
  inner_returned.count_down();
  other.join();
  EXPECT_EQ(kept.status(), task_status::cancelled);
}

TEST_F(Runtime, ServesManyConcurrentCallers) {
  accounted_runtime rt({.threads = 2});
  std::atomic<int> sum{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i != 6; ++i) {
      callers.emplace_back([&] {
        for (int k = 0; k != 50; ++k) {
          sum += rt.block_on([&]() -> task<int> {
            spawn(sleeper(1h));  // A leftover, for whoever is last.
            co_return 1;
          });
        }
      });
    }
  }
  EXPECT_EQ(sum, 300);
}

TEST_F(Runtime, ReportsEachUntakenFailureOnce) {
  report_log log;
  accounted_runtime rt({.threads = 2});
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<>> handles;
    for (int i = 0; i != 20; ++i) {
      handles.push_back(spawn(failing, "failure " + std::to_string(i)));
    }
    for (const task_handle<>& each : handles) {
      while (!each.done()) {
        co_await yield();
      }
    }
  });
  rt.shutdown();
  EXPECT_EQ(log.size(), 20u);
  const std::vector<std::string> texts = log.messages();
  EXPECT_EQ(std::adjacent_find(texts.begin(), texts.end()), texts.end());
}

TEST_F(Runtime, LeavesOutAFailureThatASuspendedAwaiterTakes) {
  report_log log;
  accounted_runtime rt({.threads = 1});
  rt.set_error_handler(log.handler());
  rt.block_on([]() -> task<> {
    const auto slow = []() -> task<> {
      co_await sleep_for(1ms);
      throw std::runtime_error("taken");
    };
    EXPECT_THROW(co_await spawn(slow), std::runtime_error);
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_F(Runtime, BlockOnFromAWorkerIsAUsageErrorAndDoesNoHarm) {
  accounted_runtime rt({.threads = 1});
  accounted_runtime other({.threads = 1});
  rt.block_on([&]() -> task<> {
    const task_handle<> kept = spawn(sleeper(1ms));
    EXPECT_THROW(rt.block_on(number(1)), usage_error);
    EXPECT_THROW(other.block_on(number(1)), usage_error);
    EXPECT_THROW(rt.shutdown(), usage_error);
    co_await kept;
    EXPECT_EQ(kept.status(), task_status::completed);
  });
}

TEST_F(Runtime, AfterShutdownRefuses) {
  accounted_runtime rt({.threads = 1});
  rt.shutdown();
  rt.shutdown();
  EXPECT_THROW(rt.spawn(number(1)), scope_closed);
  EXPECT_FALSE(rt.try_spawn(number, 1));
  EXPECT_THROW(rt.block_on(number(1)), scope_closed);
}

TEST_F(Runtime, SpawnsFromManyForeignThreads) {
  accounted_runtime rt({.threads = 2});
  std::atomic<int> ran{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i != 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k != 250; ++k) {
          rt.spawn([&] { ++ran; });
        }
      });
    }
  }
  rt.shutdown({.drain = forever});
  EXPECT_EQ(ran, 1'000);
}

TEST_F(Runtime, RunGivesTheExitStatus) {
  EXPECT_EQ(run([]() -> task<int> { co_return 7; }), 7);
  EXPECT_EQ(run([]() -> task<> { co_return; }), 0);
  EXPECT_EQ(run([] { return 3; }), 3);
  EXPECT_EQ(run([] {}, {.threads = 1}), 0);
}

TEST_F(Runtime, RunPrintsAFailureAndGivesOne) {
  for (const bool as_task : {true, false}) {
    testing::internal::CaptureStderr();
    const int status = as_task ? run([]() -> task<> { throw std::runtime_error("it broke"); })
                               : run([]() -> int { throw std::runtime_error("it broke"); });
    EXPECT_EQ(status, 1);
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_NE(printed.find("it broke"), std::string::npos) << printed;
  }
  testing::internal::CaptureStderr();
  EXPECT_EQ(run([] { throw 5; }), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("int"), std::string::npos);
}

TEST_F(Runtime, RunGivesOneForABadOption) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run([] {}, {.threads = 0}), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("threads"), std::string::npos);
}

TEST_F(Runtime, RunCancelledGives130) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run([]() -> task<> {
              this_task::ref().cancel();
              co_await checkpoint();
            }),
            130);
  EXPECT_NE(testing::internal::GetCapturedStderr(), "");
}

int interrupted_status(const char* how) {
  const std::string path = std::string(COPPICE_PROGRAMS) + "/run_until_interrupted";
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ready[1], STDOUT_FILENO);
    ::execl(path.c_str(), path.c_str(), how, static_cast<char*>(nullptr));
    ::_exit(99);
  }
  ::close(ready[1]);
  char letter = 0;
  EXPECT_EQ(::read(ready[0], &letter, 1), 1) << "the program says when its tasks run";
  ::close(ready[0]);
  ::kill(child, std::string(how) == "terminate" ? SIGTERM : SIGINT);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST_F(Runtime, RunInterruptedGives130AndRunsDestructors) {
  if (under_thread_sanitizer) {
    GTEST_SKIP() << "ThreadSanitizer holds signals back from a thread that sleeps in the kernel";
  }
  for (const char* how : {"interrupt", "terminate"}) {
    const int status = interrupted_status(how);
    ASSERT_TRUE(WIFEXITED(status)) << status;
    EXPECT_EQ(WEXITSTATUS(status), 130);
  }
}

TEST_F(Runtime, ASecondSignalKills) {
  if (under_thread_sanitizer) {
    GTEST_SKIP() << "ThreadSanitizer holds signals back from a thread that sleeps in the kernel";
  }
  const int status = interrupted_status("stubborn");
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

}  // namespace
}  // namespace coppice
