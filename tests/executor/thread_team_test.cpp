#include "executor/thread_team.h"

#include <coppice/detail/worker_core.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace coppice::detail {
namespace {

TEST(ThreadTeam, RunsItsBodyOnceInEachThread) {
  std::mutex mutex;
  std::set<std::size_t> indices;
  std::set<std::thread::id> threads;
  {
    thread_team team;
    EXPECT_EQ(team.create(3, 0), 3u);
    team.go([&](const team_member& member) {
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(indices.insert(member.index).second);
      EXPECT_TRUE(threads.insert(std::this_thread::get_id()).second);
    });
  }
  EXPECT_EQ(indices, (std::set<std::size_t>{0, 1, 2}));
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST(ThreadTeam, WaitsForTheWordToGo) {
  bool ready = false;  // Plain: what was written before go() is seen by all.
  thread_team team;
  team.create(2, 0);
  ready = true;
  team.go([&](const team_member&) { EXPECT_TRUE(ready); });
}

TEST(ThreadTeam, EndsAtOnceIfItHasNothingToDo) {
  thread_team team;
  team.create(2, 0);
  team.go({});
  team.join();
}

TEST(ThreadTeam, OfNobodyEndsWithoutAWord) {
  const thread_team team;
}

TEST(ThreadTeam, JoinsOnce) {
  std::atomic<int> ran{0};
  thread_team team;
  team.create(2, 0);
  team.go([&](const team_member&) { ++ran; });
  team.join();
  EXPECT_EQ(ran, 2);
  team.join();
}

// The guard of symmetric transfer stands on these two.
TEST(ThreadTeam, TellsEachThreadOfItsStack) {
  constexpr std::size_t asked = 4 * 1024 * 1024;  // ThreadSanitizer takes a part of it.
  thread_team team;
  team.create(2, asked);
  team.go([&](const team_member& member) {
    const std::uintptr_t at = stack_address();
    EXPECT_GT(member.stack_bytes, asked / 2);  // A larger one may have been left by another thread.
    EXPECT_LE(at, member.stack_base);
    EXPECT_LT(member.stack_base - at, 16 * 1024u);
  });
}

// A task that raises a signal, or makes a thread that does, must find its handler.
TEST(ThreadTeam, ThreadsBlockTheSignalsThatTheirMakerBlocks) {
  sigset_t some;
  sigset_t before;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &some, &before);
  thread_team team;
  team.create(1, 0);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  team.go([](const team_member&) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGUSR1), 1);
    EXPECT_EQ(sigismember(&blocked, SIGUSR2), 0);
  });
}

TEST(ThreadTeam, LeavesTheSignalsOfItsMakerAlone) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  thread_team team;
  team.create(1, 0);
  team.go({});
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int each = 1; each != 32; ++each) {
    EXPECT_EQ(sigismember(&before, each), sigismember(&after, each)) << each;
  }
}

TEST(ThreadTeam, NamesItsThreads) {
  thread_team team;
  team.create(2, 0);
  team.go([](const team_member& member) {
    char name[16];
    ASSERT_EQ(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
    EXPECT_EQ(std::string(name), "coppice/" + std::to_string(member.index));
  });
}

TEST(ThreadTeam, RefusesAStackThatNoThreadCanHave) {
  thread_team team;
  EXPECT_THROW(team.create(1, 1), std::system_error);
}

}  // namespace
}  // namespace coppice::detail
