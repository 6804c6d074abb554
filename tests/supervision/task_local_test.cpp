// Task-locals: bound for a body, seen by those below it, kept by what was spawned in it.
#include <coppice/cleanup.h>
#include <coppice/gather.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/task_local.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::fail_after;
using testing_support::sleeper;

const task_local<std::string> request;
const task_local<int> number;
const task_local<std::string, false> own;
const task_local<std::shared_ptr<int>> shared;

class TaskLocal : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, TaskLocal, testing::Values(1u, 2u, 4u));

std::string bound() {
  return request.value_or("none");
}

// ---- Binding ------------------------------------------------------------------------------------

TEST(TaskLocalOutside, IsUnboundOutsideTasks) {
  EXPECT_EQ(request.get(), nullptr);
  EXPECT_EQ(request.value_or("none"), "none");
  EXPECT_EQ(number.value_or(3), 3);
}

TEST_P(TaskLocal, IsBoundInsideTheBodyOnly) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    EXPECT_EQ(request.get(), nullptr);
    const int result = co_await request.with("42", [&]() -> task<int> {
      EXPECT_EQ(*request.get(), "42");
      co_await sleep_for(1s);
      EXPECT_EQ(*request.get(), "42") << "also behind a wait";
      co_return 7;
    });
    EXPECT_EQ(result, 7);
    EXPECT_EQ(request.get(), nullptr);
  });
}

TEST_P(TaskLocal, TheInnermostBindingIsSeen) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await request.with("outer", [&]() -> task<> {
      co_await request.with("inner", [&]() -> task<> {
        EXPECT_EQ(bound(), "inner");
        co_await yield();
        EXPECT_EQ(bound(), "inner");
      });
      EXPECT_EQ(bound(), "outer");
    });
  });
}

TEST_P(TaskLocal, EachKeyHasItsOwnValue) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await request.with("42", [&]() -> task<> {
      co_await number.with(5, [&]() -> task<> {
        EXPECT_EQ(bound(), "42");
        EXPECT_EQ(number.value_or(0), 5);
        EXPECT_EQ(own.get(), nullptr);
        co_return;
      });
      EXPECT_EQ(number.get(), nullptr);
    });
  });
}

TEST_P(TaskLocal, AFailureUnbinds) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    EXPECT_THROW(co_await request.with("42", fail_after(1s, "bad")), std::runtime_error);
    EXPECT_EQ(request.get(), nullptr);
  });
}

TEST_P(TaskLocal, AStopUnbinds) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = []() -> task<> { co_await request.with("42", sleeper(1h)); };
    const bool finished = co_await move_on_after(1s, body);
    EXPECT_FALSE(finished);
    EXPECT_EQ(request.get(), nullptr);
  });
}

TEST_P(TaskLocal, ManyBindingsDeepTheOutermostIsStillFound) {
  constexpr int depth = 1'000;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    struct binding {
      static task<> below(int left) {
        if (left == 0) {
          EXPECT_EQ(bound(), "outermost");
          EXPECT_EQ(number.value_or(-1), 1);
          co_await yield();
          EXPECT_EQ(bound(), "outermost");
          co_return;
        }
        co_await number.with(left, below(left - 1));
        EXPECT_EQ(number.value_or(-1), left == depth ? -1 : left + 1);
      }
    };
    co_await request.with("outermost", binding::below(depth));
  });
}

// ---- What is seen below -------------------------------------------------------------------------

TEST_P(TaskLocal, IsSeenByAwaitedTasksAndGathersChildren) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto look = []() -> task<> {
      EXPECT_EQ(bound(), "42");
      co_await sleep_for(1s);
      EXPECT_EQ(bound(), "42");
    };
    co_await request.with("42", [&]() -> task<> {
      co_await look();
      co_await gather(look(), look(), look());
      co_await shield(look);
    });
  });
}

TEST_P(TaskLocal, ABindingInOneChildOfGatherIsNotSeenInAnother) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto bind = []() -> task<> {
      co_await request.with("of one child", []() -> task<> {
        co_await sleep_for(1s);
        EXPECT_EQ(bound(), "of one child");
      });
    };
    const auto look = []() -> task<> {
      for (int i = 0; i != 10; ++i) {
        EXPECT_EQ(bound(), "none");
        co_await sleep_for(200ms);
      }
    };
    co_await gather(bind(), look());
  });
}

TEST_P(TaskLocal, ASpawnedTaskSeesWhatWasBoundAtItsSpawn) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      task_handle<> child;
      co_await request.with("at its spawn", [&]() -> task<> {
        child = s.spawn([]() -> task<> {
          co_await sleep_for(1s);
          EXPECT_EQ(bound(), "at its spawn");
        });
        s.spawn([] { EXPECT_EQ(bound(), "at its spawn"); });  // Plain code likewise.
        co_return;
      });
      co_await request.with("later", [&]() -> task<> { co_await child; });
    });
  });
}

TEST_P(TaskLocal, WhatItsSpawnerHadBoundCountsAndNotTheScopes) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await request.with("of the scope", [&]() -> task<> {
      co_await with_supervisor([](supervisor& s) -> task<> {
        co_await request.with("of the spawner", [&]() -> task<> {
          const task_handle<> child = s.spawn([] { EXPECT_EQ(bound(), "of the spawner"); });
          co_await child;
        });
      });
    });
  });
}

TEST_P(TaskLocal, IsPassedOnFromTaskToTask) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      co_await request.with("42", [&]() -> task<> {
        s.spawn([&]() -> task<> {
          co_await sleep_for(1s);
          s.spawn([]() -> task<> {
            co_await sleep_for(1s);
            EXPECT_EQ(bound(), "42");
          });
        });
        co_return;
      });
    });
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(TaskLocal, OneThatIsNotInheritedIsSeenInItsOwnTaskOnly) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await own.with("mine", [&]() -> task<> {
      co_await request.with("42", [&]() -> task<> {
        co_await spawn([] {
          EXPECT_EQ(own.get(), nullptr);
          EXPECT_EQ(bound(), "42") << "the other one is";
        });
      });
      EXPECT_EQ(own.value_or("none"), "mine");
    });
  });
}

TEST(TaskLocalOutside, IsUnboundInWhatAPlainThreadSpawns) {
  std::string seen;
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      co_await request.with("42", [&]() -> task<> {
        std::jthread([&seen, handle = s.handle()]() mutable {
          handle.spawn([&seen] { seen = bound(); });
        }).join();
        co_return;
      });
    });
  });
  EXPECT_EQ(seen, "none");
}

TEST_P(TaskLocal, IsSeenByTheHandlersOfOnExit) {
  std::string seen;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [&]() -> task<> {
      co_await on_exit([&]() -> task<> {
        co_await yield();
        seen = bound();
      });
    };
    co_await request.with("42", body);
  });
  EXPECT_EQ(seen, "42");
}

// ---- How long a value lives ---------------------------------------------------------------------

TEST_P(TaskLocal, AValueLivesUntilTheLastTaskThatSeesItHasEnded) {
  std::weak_ptr<int> value;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      auto given = std::make_shared<int>(7);
      value = given;
      co_await shared.with(given, [&]() -> task<> {
        s.spawn([]() -> task<> {
          co_await sleep_for(2s);
          EXPECT_EQ(**shared.get(), 7);
        });
        co_return;
      });
      given.reset();
      co_await sleep_for(1s);
      EXPECT_FALSE(value.expired());
      co_await sleep_for(2s);
      EXPECT_TRUE(value.expired());
    });
  });
}

TEST_P(TaskLocal, AValueGoesWithItsBindingIfNobodyElseSeesIt) {
  std::weak_ptr<int> value;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    auto given = std::make_shared<int>(7);
    value = given;
    co_await shared.with(given, sleeper(1s));
    given.reset();
    EXPECT_TRUE(value.expired());
  });
}

// ---- Many at once -------------------------------------------------------------------------------

TEST_P(TaskLocal, ValuesOfManyTasksDoNotMix) {
  test_runtime rt{{.workers = GetParam()}};
  SCOPED_TRACE(rt.seed());
  rt.block_on([&]() -> task<> {
    const auto work = [](int mine) -> task<> {
      std::minstd_rand random(static_cast<unsigned>(mine + 1));
      for (int i = 0; i != 10; ++i) {
        const int inner = mine * 100 + i;
        co_await number.with(inner, [&]() -> task<> {
          co_await sleep_for(std::chrono::milliseconds(random() % 5));
          EXPECT_EQ(number.value_or(-1), inner);
        });
        EXPECT_EQ(number.value_or(-1), mine);
        co_await yield();
      }
    };
    co_await with_supervisor([&](supervisor& s) -> task<> {
      for (int i = 0; i != 200; ++i) {
        co_await number.with(i, [&]() -> task<> {
          s.spawn(work, i);
          co_return;
        });
      }
    });
  });
}

}  // namespace
}  // namespace coppice
