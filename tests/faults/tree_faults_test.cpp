// Scopes, spawns, time limits and cleanups when there is no memory: what throws changes nothing.
#include <coppice/cleanup.h>
#include <coppice/group.h>
#include <coppice/supervisor.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "tests/support/tree_faults.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::long_name;
using testing_support::sleeping_for_ever;
using testing_support::spare_allocations;

class TreeWithoutMemory : public testing_support::tree_without_memory {};

task<> yielding() {
  co_await yield();
}

// One spawn throws; then the scope is as before, the arguments are gone, and it takes a child as ever.
template <class Scope>
void spawn_or_leave_as_it_was(Scope& scope, const task_group* group) {
  std::shared_ptr<int> argument;
  {
    const spare_allocations spared;
    argument = std::make_shared<int>(1);
  }
  const auto holding = [](std::shared_ptr<int>) -> task<> { co_return; };
  try {
    scope.spawn({.name = long_name}, holding, argument);
  } catch (const std::bad_alloc&) {
    const spare_allocations spared;
    EXPECT_EQ(argument.use_count(), 1) << "the arguments are destroyed";
    if (group != nullptr) {
      EXPECT_EQ(group->size(), 0u);
      EXPECT_FALSE(group->cancelled());
    }
    const task_handle<> again = scope.spawn({.name = long_name}, holding, argument);
    EXPECT_NE(again.status(), task_status::cancelled);
  }
}

TEST_F(TreeWithoutMemory, AGroupsSpawnThrowsAndChangesNothing) {
  survives([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      spawn_or_leave_as_it_was(g, &g);
      co_return;
    });
  });
}

TEST_F(TreeWithoutMemory, ASupervisorsSpawnThrowsAndChangesNothing) {
  survives([]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      spawn_or_leave_as_it_was(s, nullptr);
      co_return;
    });
  });
}

TEST_F(TreeWithoutMemory, ASpawnThroughAHandleThrowsAndChangesNothing) {
  survives([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      scope_handle handle = g.handle();
      spawn_or_leave_as_it_was(handle, &g);
      co_return;
    });
  });
}

TEST_F(TreeWithoutMemory, ATaskThatCouldNotBeSpawnedIsStillItsCallers) {
  survives([]() -> task<> {
    co_await with_group([](task_group& g) -> task<> {
      task<> mine = yielding();
      bool refused = false;
      try {
        g.spawn(std::move(mine));
      } catch (const std::bad_alloc&) {
        refused = true;
      }
      EXPECT_EQ(static_cast<bool>(mine), refused);
      if (refused) {
        EXPECT_EQ(g.size(), 0u);
        co_await std::move(mine);
      }
    });
  });
}

TEST_F(TreeWithoutMemory, AManualGroupOpensOrThrowsAndCanBeOpenedAgain) {
  survives([]() -> task<> {
    manual_group group;
    try {
      group.open();
    } catch (const std::bad_alloc&) {
      EXPECT_FALSE(group.is_open());
      group.open();
    }
    EXPECT_TRUE(group.is_open());
    std::exception_ptr error;
    try {
      group.spawn([] {});
    } catch (const std::bad_alloc&) {
      error = std::current_exception();
    }
    for (int i = 0; i != 2 && group.is_open(); ++i) {
      try {
        co_await group.close();
      } catch (const std::bad_alloc&) {
        error = std::current_exception();  // It is open still, and can be closed again.
      }
    }
    EXPECT_FALSE(group.is_open());
  });
}

// ---- Time, cleanup ------------------------------------------------------------------------------

TEST_F(TreeWithoutMemory, ATimeoutHoldsOrThrows) {
  survives([]() -> task<> {
    try {
      co_await with_timeout(1us, sleeping_for_ever());
      ADD_FAILURE() << "it was to time out";
    } catch (const timeout_error&) {
    }
    EXPECT_FALSE(co_await move_on_after(1us, sleeping_for_ever()));
  });
}

TEST_F(TreeWithoutMemory, ACleanupRunsIfItsBodyHasBegun) {
  survives([]() -> task<> {
    bool begun = false;
    int cleaned = 0;
    const auto body = [&]() -> task<> {
      begun = true;
      co_await sleep_for(1us);
    };
    const auto cleanup = [&] { ++cleaned; };
    std::exception_ptr error;
    try {
      co_await with_cleanup(body, cleanup);
    } catch (const std::bad_alloc&) {
      error = std::current_exception();
    }
    EXPECT_TRUE(!begun || cleaned == 1);
    EXPECT_LE(cleaned, 1);
  });
}

TEST_F(TreeWithoutMemory, AHandlerThatWasRegisteredRuns) {
  survives([]() -> task<> {
    bool registered = false;
    int ran = 0;
    const auto body = [&]() -> task<> {
      co_await on_exit([&ran] { ++ran; });
      registered = true;
      co_await sleep_for(1us);
    };
    std::exception_ptr error;
    try {
      co_await body();
    } catch (const std::bad_alloc&) {
      error = std::current_exception();
    }
    EXPECT_EQ(ran, registered ? 1 : 0);
  });
}

}  // namespace
}  // namespace coppice
