#include <coppice/executor.h>
#include <coppice/sleep.h>

#include <gtest/gtest.h>

#include <utility>

#include <chrono>
#include <cstddef>
#include <vector>

#include "tests/support/accounting.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_executor;
using testing_support::jumping_clock;

class Sleep : public testing_support::accounted_test {
 protected:
  template <class Main>
  auto run(const Main& main) {
    accounted_executor tasks({.threads = 1}, &jumping_clock);
    return tasks.block_on(main);
  }
};

task<> sleeper(duration d) {
  co_await sleep_for(d);
}

TEST_F(Sleep, LastsAsLongAsItSays) {
  run([]() -> task<> {
    const time_point start = now();
    co_await sleep_for(5s);
    EXPECT_EQ(now() - start, 5s);
    co_await sleep_until(start + 7s);
    EXPECT_EQ(now() - start, 7s);
  });
}

TEST_F(Sleep, CountsFromTheCall) {
  run([]() -> task<> {
    const time_point start = now();
    auto later = sleep_for(5s);
    co_await sleep_for(4s);
    co_await std::move(later);
    EXPECT_EQ(now() - start, 5s);
  });
}

TEST_F(Sleep, OfNoTimeOrLessYields) {
  run([]() -> task<> {
    const time_point start = now();
    for (const duration none : {duration(0), duration(-1s), duration::min()}) {
      bool other_ran = false;
      const auto other = [&]() -> task<> {
        other_ran = true;
        co_return;
      };
      const task_handle<> handle = spawn(other);
      co_await sleep_for(none);
      co_await handle;
      EXPECT_TRUE(other_ran);
    }
    co_await sleep_until(start - 1h);
    co_await sleep_until(time_point::min());
    EXPECT_EQ(now(), start);
  });
}

TEST_F(Sleep, LetsOthersRunMeanwhile) {
  run([]() -> task<> {
    std::vector<int> order;
    const auto each = [&](int i, duration d) -> task<> {
      co_await sleep_for(d);
      order.push_back(i);
    };
    const task_handle<> late = spawn(each, 3, 30ms);
    const task_handle<> early = spawn(each, 1, 10ms);
    const task_handle<> middle = spawn(each, 2, 20ms);
    co_await late;
    co_await early;
    co_await middle;
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  });
}

TEST_F(Sleep, EndsWhenCancelled) {
  run([]() -> task<> {
    const time_point start = now();
    const task_handle<> endless = spawn(sleeper(forever));
    const task_handle<> long_one = spawn(sleeper(1h));
    co_await sleep_for(1ms);
    endless.cancel();
    long_one.cancel();
    EXPECT_THROW(co_await endless, task_cancelled);
    EXPECT_THROW(co_await long_one, task_cancelled);
    EXPECT_EQ(now() - start, 1ms);
  });
}

TEST_F(Sleep, LooksForAStopOnEntry) {
  run([]() -> task<> {
    for (const duration d : {duration(0), duration(1s)}) {
      bool went_on = false;
      const auto body = [&]() -> task<> {
        this_task::ref().cancel();
        co_await sleep_for(d);
        went_on = true;
      };
      const task_handle<> handle = spawn(body);
      EXPECT_THROW(co_await handle, task_cancelled);
      EXPECT_FALSE(went_on);
    }
  });
}

TEST_F(Sleep, OnTheSteadyClockIsNeverShort) {
  accounted_executor tasks({.threads = 2});
  tasks.block_on([]() -> task<> {
    const auto each = [](duration d) -> task<> {
      const auto start = clock::now();
      co_await sleep_for(d);
      EXPECT_GE(clock::now() - start, d);
    };
    std::vector<task_handle<>> handles;
    for (int i = 0; i != 50; ++i) {
      handles.push_back(spawn(each, std::chrono::microseconds(37 * i)));
    }
    for (const task_handle<>& handle : handles) {
      co_await handle;
    }
  });
}

TEST_F(Sleep, ManySetAndDroppedLeaveNothing) {
  run([]() -> task<> {
    for (int i = 0; i != 2'000; ++i) {
      const task_handle<> handle = spawn(sleeper(1h));
      co_await yield();
      handle.cancel();
      EXPECT_THROW(co_await handle, task_cancelled);
    }
  });
}

TEST_F(Sleep, OutsideTasksTimeIsTheSteadyClocks) {
  const auto before = clock::now();
  const time_point between = now();
  EXPECT_LE(before, between);
  EXPECT_LE(between, clock::now());
}

TEST(Yield, LetsEveryOtherReadyTaskRunFirst) {
  accounted_executor tasks({.threads = 1}, &jumping_clock);
  tasks.block_on([]() -> task<> {
    std::size_t others = 0;
    const auto other = [&]() -> task<> {
      ++others;
      co_return;
    };
    std::vector<task_handle<>> handles;
    for (int i = 0; i != 5; ++i) {
      handles.push_back(spawn(other));
    }
    co_await yield();
    EXPECT_EQ(others, 5u);
    co_await checkpoint();
    for (const task_handle<>& each : handles) {
      co_await each;
    }
  });
}

TEST(Yield, IsStoppedBeforeAndBehind) {
  accounted_executor tasks({.threads = 1}, &jumping_clock);
  tasks.block_on([]() -> task<> {
    int stage = 0;
    const auto body = [&]() -> task<> {
      stage = 1;
      co_await yield();
      stage = 2;
    };
    const task_handle<> behind = spawn(body);
    co_await yield();
    EXPECT_EQ(stage, 1);
    behind.cancel();
    EXPECT_THROW(co_await behind, task_cancelled);
    EXPECT_EQ(stage, 1) << "asked to stop while it had given way";
  });
}

}  // namespace
}  // namespace coppice
