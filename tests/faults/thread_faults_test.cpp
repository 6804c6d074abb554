#include <coppice/blocking.h>
#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <thread>

#include "tests/support/accounted_runtime.h"
#include "tests/support/held_call.h"

namespace coppice {
namespace {

// How many threads the system still grants; negative: all.
std::atomic<int> granted{-1};

}  // namespace
}  // namespace coppice

// A sanitizer that is linked into the program has its own under this name, and must see the threads.
extern "C" __attribute__((weak)) int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*,
                                                                  void* (*)(void*), void*) noexcept;

// In place of the C library's.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  using create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = &__interceptor_pthread_create != nullptr
                               ? &__interceptor_pthread_create
                               : reinterpret_cast<create>(::dlsym(RTLD_NEXT, "pthread_create"));
  int left = coppice::granted.load();
  while (left > 0 && !coppice::granted.compare_exchange_weak(left, left - 1)) {
  }
  return left == 0 ? EAGAIN : real(thread, attributes, start, argument);
}

namespace coppice {
namespace {

using testing_support::accounted_runtime;
using testing_support::held_call;

class WithoutThreads : public testing_support::accounted_test {
 protected:
  void TearDown() override {
    granted = -1;
    accounted_test::TearDown();
  }
};

TEST_F(WithoutThreads, ARuntimeStartsWithThoseItGotAndSaysSo) {
  for (int k = 1; k != 5; ++k) {
    granted = k;
    testing::internal::CaptureStderr();
    {
      accounted_runtime rt({.threads = 5});
      granted = -1;
      EXPECT_EQ(rt.workers(), static_cast<unsigned>(k));
      EXPECT_EQ(rt.block_on([]() -> task<int> {
        const task_handle<int> handle = spawn([] { return 3; });
        co_return co_await handle;
      }),
                3);
    }
    const std::string printed = testing::internal::GetCapturedStderr();
    EXPECT_NE(printed.find(std::to_string(k) + " of 5 worker threads"), std::string::npos)
        << printed;
  }
}

TEST_F(WithoutThreads, ARuntimeThatGotNoneThrows) {
  granted = 0;
  EXPECT_THROW(runtime({.threads = 3}), std::system_error);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run([] {}), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("no worker thread"), std::string::npos);
  granted = -1;
  accounted_runtime rt({.threads = 3});
  EXPECT_EQ(rt.workers(), 3u);
}

TEST_F(WithoutThreads, ACallThatBlocksThrowsIfThereIsNoneForIt) {
  accounted_runtime rt({.threads = 1});
  std::atomic<int> made{0};
  const auto call = [&]() -> task<int> {
    co_return co_await spawn_blocking([&] { return ++made; });
  };
  granted = 0;
  EXPECT_THROW(rt.block_on(call), std::system_error);
  EXPECT_EQ(made, 0);
  EXPECT_TRUE(detail::blocking_calls(rt.beneath()).empty());
  granted = -1;
  EXPECT_EQ(rt.block_on(call), 1) << "as soon as there is one";
}

TEST_F(WithoutThreads, ACallThatBlocksWaitsForAThreadIfThereIsOne) {
  held_call first;
  accounted_runtime rt({.threads = 1});
  const task_handle<> holding =
      rt.spawn([&]() -> task<> { co_await spawn_blocking(std::ref(first)); });
  first.wait_until_begun();
  granted = 0;
  bool made = false;
  const task_handle<> queued =
      rt.spawn([&]() -> task<> { co_await spawn_blocking([&] { made = true; }); });
  while (queued.status() != task_status::suspended) {
    std::this_thread::yield();
  }
  first.release();
  rt.shutdown({.drain = forever});
  EXPECT_EQ(queued.status(), task_status::completed);
  EXPECT_TRUE(made);
}

TEST_F(WithoutThreads, ARuntimeIsQuietWhenItGotAll) {
  granted = 2;
  testing::internal::CaptureStderr();
  {
    const accounted_runtime rt({.threads = 2});
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace coppice
