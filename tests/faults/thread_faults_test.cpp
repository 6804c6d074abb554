#include <coppice/runtime.h>

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>

#include "tests/support/accounted_runtime.h"

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
