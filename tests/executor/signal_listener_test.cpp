#include <coppice/detail/signal_listener.h>

#include <coppice/error.h>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <atomic>
#include <string>
#include <vector>

#include "tests/support/sanitizers.h"

namespace coppice::detail {
namespace {

std::atomic<int> heard_before{0};

// What a signal does when nobody listens, put back at the end.
class earlier_handler {
 public:
  explicit earlier_handler(
      int number, void (*handler)(int) = [](int) { ++heard_before; })
      : number_(number) {
    heard_before = 0;
    struct sigaction action = {};
    action.sa_handler = handler;
    ::sigaction(number, &action, &before_);
  }
  earlier_handler(const earlier_handler&) = delete;
  earlier_handler& operator=(const earlier_handler&) = delete;
  ~earlier_handler() { ::sigaction(number_, &before_, nullptr); }

 private:
  const int number_;
  struct sigaction before_;
};

class listener : public signal_listener {
 public:
  explicit listener(std::initializer_list<int> numbers, bool leave_ignored = false,
                    bool only_first = false) {
    listen(signal_set(numbers, "test"), {leave_ignored, only_first});
  }
  ~listener() { left = leave(); }

  std::atomic<int> heard{0};
  static inline signal_set left;

 private:
  void come(int) noexcept override { ++heard; }
};

TEST(SignalListener, IsToldAndNobodyElseIs) {
  const earlier_handler before(SIGUSR1);
  listener mine({SIGUSR1, SIGUSR2});
  std::raise(SIGUSR1);
  std::raise(SIGUSR2);
  EXPECT_EQ(mine.heard, 2);
  EXPECT_EQ(heard_before, 0);
}

TEST(SignalListener, PutsBackWhatWasBefore) {
  const earlier_handler before(SIGUSR1);
  {
    const listener mine({SIGUSR1});
  }
  EXPECT_TRUE(listener::left.contains(SIGUSR1));
  std::raise(SIGUSR1);
  EXPECT_EQ(heard_before, 1);
}

TEST(SignalListener, LeavesAHandlerThatSomebodyElseHasSetMeanwhile) {
  const earlier_handler before(SIGUSR1, SIG_DFL);
  {
    const listener mine({SIGUSR1});
    std::signal(SIGUSR1, [](int) { heard_before += 10; });
  }
  std::raise(SIGUSR1);
  EXPECT_EQ(heard_before, 10);
}

TEST(SignalListener, AllOfSeveralAreToldUntilTheLastLeaves) {
  const earlier_handler before(SIGUSR1);
  listener first({SIGUSR1});
  {
    listener second({SIGUSR1});
    listener other({SIGUSR2});
    std::raise(SIGUSR1);
    EXPECT_EQ(second.heard, 1);
    EXPECT_EQ(other.heard, 0);
  }
  EXPECT_EQ(first.heard, 1);
  std::raise(SIGUSR1);
  EXPECT_EQ(first.heard, 2);
  EXPECT_EQ(heard_before, 0);
}

TEST(SignalListener, LeavesIgnoredOnesAloneIfItIsToHeedThem) {
  const earlier_handler before(SIGUSR1, SIG_IGN);
  {
    listener heeding({SIGUSR1, SIGUSR2}, true);
    std::raise(SIGUSR1);
    std::raise(SIGUSR2);
    EXPECT_EQ(heeding.heard, 1);
  }
  listener other({SIGUSR1});
  std::raise(SIGUSR1);
  EXPECT_EQ(other.heard, 1);
}

TEST(SignalListener, KeepsErrno) {
  const listener mine({SIGUSR1});
  errno = EDOM;
  std::raise(SIGUSR1);
  EXPECT_EQ(errno, EDOM);
}

TEST(SignalListener, ThatHeardTheFirstLeavesTheNextToTheSystemAndThenPutsBack) {
  const earlier_handler before(SIGUSR1);
  {
    listener mine({SIGUSR1, SIGUSR2}, false, true);
    std::raise(SIGUSR1);
    EXPECT_EQ(mine.heard, 1);
    for (const int number : {SIGUSR1, SIGUSR2}) {
      struct sigaction now = {};
      ::sigaction(number, nullptr, &now);
      EXPECT_EQ(now.sa_handler, SIG_DFL);
    }
  }
  std::raise(SIGUSR1);
  EXPECT_EQ(heard_before, 1);
}

// The child's status; it must not use gtest.
template <class Body>
int status_of_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(SignalListener, IsNotToldInTheChildOfAForkWhereSignalsDoWhatTheyDid) {
  const earlier_handler before(SIGUSR1, SIG_DFL);
  listener mine({SIGUSR1});
  const int status = status_of_child([&] {
    std::raise(SIGUSR1);
    return 3;
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGUSR1);
  EXPECT_EQ(mine.heard, 0);
}

TEST(SignalListener, MayBeMadeInTheChildOfAFork) {
  const listener mine({SIGUSR1});
  const int status = status_of_child([] {
    listener own({SIGUSR1});
    std::raise(SIGUSR1);
    return own.heard == 1 ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(SignalSet, RefusesWhatCannotBeHeard) {
  for (const int number : {0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 32, 33}) {
    EXPECT_THROW(signal_set({SIGUSR1, number}, "test"), usage_error) << number;
  }
  try {
    const signal_set refused({SIGKILL}, "test");
    FAIL();
  } catch (const usage_error& error) {
    EXPECT_STREQ(error.what(),
                 "test for signal 9 (SIGKILL), which is none, cannot be caught, or is raised by a "
                 "fault");
  }
}

TEST(SignalSet, GivesItsNumbersInOrder) {
  std::vector<int> numbers;
  signal_set({SIGTERM, SIGHUP, SIGRTMAX}, "test").for_each([&](int each) {
    numbers.push_back(each);
  });
  EXPECT_EQ(numbers, (std::vector<int>{SIGHUP, SIGTERM, SIGRTMAX}));
}

}  // namespace
}  // namespace coppice::detail
