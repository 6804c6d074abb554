#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/accounted_runtime.h"
#include "tests/support/load.h"
#include "tests/support/report_log.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::report_log;
using testing_support::rounds;

class Lifetime : public testing_support::accounted_test {};

task<int> number(int n) {
  co_return n;
}
task<> sleeper(duration d) {
  co_await sleep_for(d);
}
task<> spinning() {
  for (;;) {
    co_await yield();
  }
}

int status_of_program(const char* name, const char* argument) {
  const std::string path = std::string(COPPICE_PROGRAMS) + '/' + name;
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::execl(path.c_str(), path.c_str(), argument, static_cast<char*>(nullptr));
    ::_exit(99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

TEST_F(Lifetime, OfAStaticRuntimeEndsWithTheProgram) {
  for (long i = rounds(100, 3); i != 0; --i) {
    for (const char* how : {"exit", "inner", "local"}) {
      ASSERT_EQ(status_of_program("runtime_as_static", how), 0) << how;
    }
  }
}

TEST_F(Lifetime, OfARuntimeInAPluginEndsWithIt) {
  const std::string path = std::string(COPPICE_PLUGINS) + "/runtime_plugin.so";
  for (int i = 0; i != 3; ++i) {
    void* const plugin = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(plugin, nullptr) << ::dlerror();
    const auto call = reinterpret_cast<int (*)(int)>(::dlsym(plugin, "plugin_call"));
    const auto keep = reinterpret_cast<int (*)()>(::dlsym(plugin, "plugin_keep"));
    ASSERT_TRUE(call != nullptr && keep != nullptr);
    EXPECT_EQ(call(i), i);
    EXPECT_EQ(keep(), 0);
    EXPECT_EQ(::dlclose(plugin), 0);
  }
}

TEST_F(Lifetime, OfARuntimeMayEndWhileTasksRun) {
  for (long i = rounds(10'000, 50); i != 0; --i) {
    accounted_runtime rt({.threads = 2});
    rt.spawn(sleeper(1h));
    rt.spawn(spinning());
    rt.spawn([]() -> task<> {
      if (const auto child = try_spawn(sleeper(1us))) {  // Empty when the shutdown was faster.
        co_await *child;
      }
    });
  }
}

TEST_F(Lifetime, OfAHandleOutlastsItsRuntime) {
  std::vector<task_handle<int>> handles;
  {
    accounted_runtime rt({.threads = 2});
    for (int i = 0; i != 100; ++i) {
      handles.push_back(rt.spawn(number, i));
    }
    rt.shutdown({.drain = forever});
  }
  for (int i = 0; i != 100; ++i) {
    EXPECT_EQ(handles[static_cast<std::size_t>(i)].result().get(), i);
    handles[static_cast<std::size_t>(i)].cancel();
    EXPECT_FALSE(handles[static_cast<std::size_t>(i)].token().stop_requested());
  }
}

TEST_F(Lifetime, OfAThreadThatSubmitsEndsAtOnce) {
  accounted_runtime rt({.threads = 2});
  std::atomic<long> ran{0};
  const long threads = rounds(1'000, 20);
  for (long t = 0; t != threads; ++t) {
    std::thread([&] {
      for (int i = 0; i != 100; ++i) {
        rt.spawn([&]() -> task<> {
          ++ran;
          co_return;
        });
      }
    }).join();
  }
  rt.shutdown({.drain = forever});
  EXPECT_EQ(ran, 100 * threads);
}

// Hands an exception of every kind through a task, an inline await, a handle and the report.
template <class E>
void carries(E thrown) {
  report_log log;
  {
    accounted_runtime rt({.threads = 1});
    rt.set_error_handler(log.handler());
    const auto fails = [&]() -> task<> {
      throw thrown;
      co_return;
    };
    EXPECT_THROW(rt.block_on(fails), E);
    rt.block_on([&]() -> task<> {
      EXPECT_THROW(co_await fails(), E);
      EXPECT_THROW(co_await spawn(fails), E);
      const task_handle<> unseen = spawn(fails);
      while (!unseen.done()) {
        co_await yield();
      }
      EXPECT_THROW(co_await unseen, E);
    });
  }
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].entry.get_if<E>(), nullptr);
}

enum class plain_enum { value };
struct no_standard_one {
  std::unique_ptr<int> holds;
  no_standard_one() = default;
  no_standard_one(const no_standard_one&) {}
};
struct with_virtual_base : virtual std::exception {};

TEST_F(Lifetime, OfAnExceptionOfAnyKindReachesWhoAsks) {
  carries(1);
  carries(plain_enum::value);
  carries<const char*>("text");
  carries(std::string("text"));
  carries(nullptr);
  carries(std::runtime_error("ordinary"));
  carries(std::bad_alloc());
  carries(no_standard_one());
  carries(with_virtual_base());
  carries(usage_error("of the library"));
  carries(task_cancelled(cancel_reason("somebody else")));
}

TEST_F(Lifetime, OfOneWorkerServesEveryPath) {
  report_log log;
  accounted_runtime rt({.threads = 1});
  rt.set_error_handler(log.handler());
  // Run on one thread, wait on another: the worker alone must do it.
  task_handle<int> handle;
  std::thread([&] {
    handle = rt.spawn([]() -> task<int> {
      co_await sleep_for(100us);
      co_await yield();
      const task_handle<int> inner = spawn(number, 4);
      co_return co_await inner;
    });
  }).join();
  int got = 0;
  std::thread([&] { got = rt.block_on([&]() -> task<int> { co_return co_await handle; }); }).join();
  EXPECT_EQ(got, 4);
  std::atomic<int> called{0};
  rt.block_on([&]() -> task<> {
    const task_handle<> timed = spawn({.timeout = 100us}, sleeper, 1h);
    EXPECT_THROW(co_await timed, timeout_error);
    const task_handle<> cancelled = spawn(sleeper(1h));
    cancelled.on_done([&] { ++called; });
    cancelled.cancel();
    EXPECT_THROW(co_await cancelled, task_cancelled);
    const task_handle<int> now_running = spawn({.start = start_mode::immediate}, number, 1);
    EXPECT_TRUE(now_running.done());
  });
  EXPECT_EQ(called, 1);
  std::vector<std::jthread> callers;
  for (int i = 0; i != 4; ++i) {
    callers.emplace_back([&rt, i] { EXPECT_EQ(rt.block_on(number(i)), i); });
  }
  callers.clear();
  EXPECT_TRUE(rt.shutdown());
  EXPECT_EQ(log.size(), 0u);
}

}  // namespace
}  // namespace coppice
