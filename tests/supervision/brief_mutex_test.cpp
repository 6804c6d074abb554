#include <coppice/detail/brief_mutex.h>
#include <gtest/gtest.h>

#include <latch>
#include <mutex>
#include <thread>
#include <vector>

namespace coppice::detail {
namespace {

TEST(BriefMutex, IsHeldByOneAtATime) {
  brief_mutex mutex;
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_FALSE(mutex.try_lock());
  mutex.unlock();
  const std::lock_guard lock(mutex);
  EXPECT_FALSE(mutex.try_lock());
}

TEST(BriefMutex, WhoComesNextSeesWhatWasDoneUnderIt) {
  constexpr long rounds = 20'000;
  constexpr int threads = 4;
  brief_mutex mutex;
  long count = 0;
  {
    std::vector<std::jthread> all;
    for (int i = 0; i != threads; ++i) {
      all.emplace_back([&] {
        for (long n = 0; n != rounds; ++n) {
          const std::lock_guard lock(mutex);
          ++count;
        }
      });
    }
  }
  EXPECT_EQ(count, rounds * threads);
}

// Also if its holder has been preempted, or takes its time: who waits does not keep a processor from it for ever.
TEST(BriefMutex, IsWaitedForAsLongAsItIsHeld) {
  brief_mutex mutex;
  std::latch coming(1);
  bool taken = false;
  mutex.lock();
  std::thread waiting([&] {
    coming.count_down();
    const std::lock_guard lock(mutex);
    taken = true;
  });
  coming.wait();
  for (int i = 0; i != 1'000; ++i) {
    std::this_thread::yield();
  }
  mutex.unlock();
  waiting.join();
  EXPECT_TRUE(taken);
}

}  // namespace
}  // namespace coppice::detail
