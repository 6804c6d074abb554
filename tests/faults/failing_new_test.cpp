#include "tests/support/failing_new.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace coppice::testing_support {
namespace {

void* volatile sink;  // Keeps the compiler from leaving a new and its delete out.

template <class T, class... Where>
bool can_make(Where... where) {
  try {
    std::unique_ptr<T> made(new (where...) T());
    sink = made.get();
    return made != nullptr;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

template <class T, class... Where>
bool can_make_array(Where... where) {
  try {
    std::unique_ptr<T[]> made(new (where...) T[3]);
    sink = made.get();
    return made != nullptr;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

struct alignas(256) wide {
  int value;
};

class FailingNew : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_fail_allocations()) {
      GTEST_SKIP() << testing_support::why_none_can_fail;
    }
  }
};

TEST_F(FailingNew, CountsEveryForm) {
  const std::size_t before = allocations();
  const std::size_t before_here = thread_allocations();
  EXPECT_TRUE(can_make<int>());
  EXPECT_TRUE(can_make<int>(std::nothrow));
  EXPECT_TRUE(can_make<wide>());
  EXPECT_TRUE(can_make<wide>(std::nothrow));
  EXPECT_TRUE(can_make_array<int>());
  EXPECT_TRUE(can_make_array<int>(std::nothrow));
  EXPECT_TRUE(can_make_array<wide>());
  EXPECT_TRUE(can_make_array<wide>(std::nothrow));
  EXPECT_EQ(allocations() - before, 8u);
  EXPECT_EQ(thread_allocations() - before_here, 8u);
}

TEST_F(FailingNew, EveryFormCanFail) {
  const fail_allocation_at failure(1, failing_threads::caller, failing_times::from_there_on);
  EXPECT_FALSE(can_make<int>());
  EXPECT_FALSE(can_make<int>(std::nothrow));
  EXPECT_FALSE(can_make<wide>());
  EXPECT_FALSE(can_make<wide>(std::nothrow));
  EXPECT_FALSE(can_make_array<int>());
  EXPECT_FALSE(can_make_array<int>(std::nothrow));
  EXPECT_FALSE(can_make_array<wide>());
  EXPECT_FALSE(can_make_array<wide>(std::nothrow));
}

TEST_F(FailingNew, FailsTheKthOnly) {
  const fail_allocation_at failure(2);
  EXPECT_TRUE(can_make<int>());
  EXPECT_FALSE(failure.reached());
  EXPECT_FALSE(can_make<int>());
  EXPECT_TRUE(failure.reached());
  EXPECT_TRUE(can_make<int>());
}

TEST_F(FailingNew, EndsWithTheGuard) {
  {
    const fail_allocation_at failure(1);
  }
  EXPECT_TRUE(can_make<int>());
  fail_allocation_at failure(1);
  failure.stop();
  EXPECT_TRUE(can_make<int>());
  EXPECT_FALSE(failure.reached());
}

TEST_F(FailingNew, FailsAnyThreadOrTheCallersAlone) {
  const auto made_elsewhere = [](failing_threads threads) {
    bool made = true;
    std::thread other;
    {
      std::atomic<bool> go{false};
      other = std::thread([&] {
        while (!go) {
        }
        made = can_make<int>();
      });
      const fail_allocation_at failure(1, threads);
      go = true;
      other.join();
    }
    return made;
  };
  EXPECT_FALSE(made_elsewhere(failing_threads::all));
  EXPECT_TRUE(made_elsewhere(failing_threads::caller));
}

TEST_F(FailingNew, SparesWhatTheTestNeeds) {
  const fail_allocation_at failure(1, failing_threads::all, failing_times::from_there_on);
  {
    const spare_allocations outer;
    const spare_allocations inner;
    EXPECT_TRUE(can_make<int>());
  }
  EXPECT_FALSE(can_make<int>());
}

TEST_F(FailingNew, GoesThroughAScenarioUntilItPasses) {
  int passed = 0;
  const std::size_t failed = for_each_failing_allocation(
      [&](fail_allocation_at&) {
        try {
          std::vector<std::unique_ptr<int>> made;
          for (int i = 0; i != 3; ++i) {
            made.reserve(3);  // One request, at the first time.
            made.push_back(std::make_unique<int>(i));
          }
          ++passed;
        } catch (const std::bad_alloc&) {
        }
      },
      failing_threads::caller);
  EXPECT_EQ(failed, 4u);
  EXPECT_EQ(passed, 1);
  EXPECT_EQ(for_each_failing_allocation([](fail_allocation_at&) { can_make<int>(); },
                                        failing_threads::caller, failing_times::once, 1),
            0u)
      << "one that does not come to an end within the limit";
}

TEST_F(FailingNew, KnowsWhatWasNotGivenBack) {
  const std::size_t before = live_allocations();
  auto made = std::make_unique<int>(1);
  sink = made.get();
  EXPECT_EQ(live_allocations(), before + 1);
  made.reset();
  EXPECT_EQ(live_allocations(), before);
}

}  // namespace
}  // namespace coppice::testing_support
