#include <coppice/blocking.h>
#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/accounted_runtime.h"
#include "tests/support/held_call.h"
#include "tests/support/load.h"
#include "tests/support/sanitizers.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::rounds;
using testing_support::under_address_sanitizer;
using testing_support::under_thread_sanitizer;

task<int> number(int n) {
  co_return n;
}
task<> sleeper(duration d) {
  co_await sleep_for(d);
}

// The exit status of a child that runs `body` and then exits as a program does; 200 if it has to be
// killed after 20 s.
int status_of_child(const std::function<int()>& body) {
  std::fflush(nullptr);  // Or the child writes it again.
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    std::exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

template <class Call>
bool is_usage_error(const Call& call) {
  try {
    call();
  } catch (const usage_error&) {
    return true;
  }
  return false;
}

class Fork : public testing_support::accounted_test {
 protected:
  void SetUp() override {
    if (under_thread_sanitizer) {
      GTEST_SKIP() << "ThreadSanitizer starts no threads in the child of a process with threads";
    }
    if (under_address_sanitizer) {
      GTEST_SKIP() << "g++'s AddressSanitizer lets a fork copy the locks of its allocator";
    }
  }
};

TEST_F(Fork, TheChildIsRefusedAndEnds) {
  accounted_runtime rt({.threads = 2});
  const task_handle<> sleeping = rt.spawn(sleeper(1h));
  const int status = status_of_child([&] {
    int wrong = 0;
    wrong += is_usage_error([&] { rt.spawn(number(1)); }) ? 0 : 1;
    wrong += is_usage_error([&] { static_cast<void>(rt.try_spawn(number(1))); }) ? 0 : 2;
    wrong += is_usage_error([&] { rt.block_on(number(1)); }) ? 0 : 4;
    wrong += is_usage_error([&] { rt.shutdown(); }) ? 0 : 8;
    return wrong;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(rt.block_on(number(2)), 2) << "the parent goes on";
}

TEST_F(Fork, TheChildMayEndTheRuntimeAndMakeAnother) {
  for (long i = rounds(100, 5); i != 0; --i) {
    auto rt = std::make_unique<accounted_runtime>(options{.threads = 2});
    rt->spawn(sleeper(1h));
    const int status = status_of_child([&] {
      // Its own destructor would look at counts that the fork has cut through.
      static_cast<runtime*>(rt.release())->runtime::~runtime();
      runtime mine({.threads = 2});
      return mine.block_on([]() -> task<int> {
        const task_handle<int> handle = spawn(number, 3);
        co_await sleep_for(10us);
        co_return co_await handle - 3;
      });
    });
    ASSERT_EQ(status, 0);
  }
}

TEST_F(Fork, TheChildMakesARuntimeThoughThreadsWereInTheMidstOfThings) {
  accounted_runtime rt({.threads = 2});
  std::atomic<bool> enough{false};
  std::vector<std::jthread> busy;
  for (int i = 0; i != 2; ++i) {
    busy.emplace_back([&] {
      while (!enough) {
        rt.spawn([]() -> task<> {
          const task_handle<int> inner = spawn({.name = "inner"}, number, 1);
          co_await sleep_for(1us);
          co_await inner;
        });
        const accounted_runtime another({.threads = 1});
      }
    });
  }
  for (long i = rounds(100, 5); i != 0; --i) {
    const int status = status_of_child([] {
      runtime mine({.threads = 1});
      return mine.block_on([]() -> task<int> {
        co_await sleep_for(1us);
        co_return 0;
      });
    });
    EXPECT_EQ(status, 0);
  }
  enough = true;
}

// Whoever held the lock of the parent's calls, the child asks nobody for it.
TEST_F(Fork, TheChildHasNoneOfTheCallsThatBlock) {
  testing_support::held_call call;
  accounted_runtime rt({.threads = 2});
  rt.spawn([&]() -> task<> { co_await spawn_blocking({.name = "held"}, std::ref(call)); });
  call.wait_until_begun();
  std::atomic<bool> enough{false};
  const task_handle<> busy = rt.spawn([&]() -> task<> {
    while (!enough) {
      co_await spawn_blocking([] {});
    }
  });
  for (long i = rounds(100, 5); i != 0; --i) {
    EXPECT_EQ(status_of_child([&] {
                std::ostringstream dump;
                rt.dump_tasks(dump);
                runtime mine({.threads = 1});
                return mine.block_on(
                    []() -> task<int> { co_return co_await spawn_blocking([] { return 0; }); });
              }),
              0);
  }
  enough = true;
  call.release();
}

TEST_F(Fork, BeforeAnyRuntimeIsOrdinary) {
  EXPECT_EQ(status_of_child([] {
              runtime rt({.threads = 2});
              return rt.block_on(number(0));
            }),
            0);
}

}  // namespace
}  // namespace coppice
