#include "executor/process_locks.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/support/sanitizers.h"

namespace coppice::detail {
namespace {

// The child's exit status; it must not use gtest.
template <class Body>
int status_of_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

TEST(ProcessLocks, TheChildOfAForkIsAnotherGeneration) {
  const std::uint64_t before = process_generation();
  EXPECT_EQ(process_generation(), before);
  EXPECT_EQ(status_of_child([before] { return process_generation() != before ? 0 : 1; }), 0);
  EXPECT_EQ(process_generation(), before);
}

TEST(ProcessLocks, AreFreeInTheChildThoughAThreadHeldThem) {
  if (testing_support::under_thread_sanitizer) {
    GTEST_SKIP() << "ThreadSanitizer does not follow locks into a child";
  }
  std::atomic<bool> enough{false};
  std::jthread holder([&enough] {
    while (!enough) {
      const std::lock_guard held(mutex_of(process_lock::slots));
      const std::lock_guard also(mutex_of(process_lock::complaints));
    }
  });
  for (int i = 0; i != 100; ++i) {
    const int status = status_of_child([] {
      for (const process_lock each :
           {process_lock::executors, process_lock::slots, process_lock::frames,
            process_lock::foreign_frames, process_lock::complaints}) {
        const std::lock_guard held(mutex_of(each));
      }
      return 0;
    });
    ASSERT_EQ(status, 0);
  }
  enough = true;
  holder.join();
  const std::lock_guard held(mutex_of(process_lock::slots));
}

}  // namespace
}  // namespace coppice::detail
