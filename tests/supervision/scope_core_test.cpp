#include <coppice/detail/scope_core.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>

#include "tests/support/failing_new.h"
#include "tests/support/load.h"
#include "tests/support/race.h"

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::race;
using testing_support::rounds;

class noted_end final : public scope_joiner {
 public:
  noted_end() {
    run = [](job& self, worker_core&) noexcept {
      ++static_cast<noted_end&>(static_cast<scope_joiner&>(self)).ends;
    };
  }
  std::atomic<int> ends{0};
};

core_ref open_core() {
  return core_ref(new strand_scope("core", {}, *this_worker()));
}

TEST(ScopeCore, IsOpenUntilTheLastLeaves) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    noted_end end;
    const core_ref core = open_core();
    core->join_by(end);
    EXPECT_TRUE(core->enter_open());
    EXPECT_FALSE(core->leave_last());
    core->leave();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(end.ends, 1);
    EXPECT_FALSE(core->enter_open());
    core->close(*this_worker());
    EXPECT_TRUE(core->closed());
  });
}

TEST(ScopeCore, KeepsTheFirstReasonAndAllocatesNothingForIt) {
  test_runtime rt;
  rt.block_on([]() -> task<> {
    const core_ref core = open_core();
    const cancel_reason first("first");
    const cancel_reason second("second");
    const std::size_t before = testing_support::thread_allocations();
    core->cancel(first);
    core->cancel(second);
    EXPECT_EQ(testing_support::thread_allocations(), before);
    EXPECT_TRUE(core->cancelled());
    EXPECT_EQ(core->reason().message(), "first");
    EXPECT_TRUE(core->leave_last());
    core->close(*this_worker());
    co_return;
  });
}

TEST(ScopeCore, IsNotCancelledAnyMoreOnceItIsClosed) {
  test_runtime rt;
  core_ref core;
  rt.block_on([&]() -> task<> {
    core = open_core();
    EXPECT_TRUE(core->leave_last());
    core->close(*this_worker());
    co_return;
  });
  core->cancel(cancel_reason("too late"));
  EXPECT_FALSE(core->requested());
}

// SC3, SC5: whoever is last, one is told, and a request made by one who ends is seen by all who enter.
TEST(ScopeCoreRaces, OneIsToldWhoeverLeavesLast) {
  std::optional<noted_end> end;
  core_ref core;
  runtime rt({.threads = 3});
  const auto open = [&] {
    end.emplace();
    core = open_core();
    core->join_by(*end);
    EXPECT_TRUE(core->enter_open());
    EXPECT_TRUE(core->enter_open());
  };
  const auto close = [&]() -> task<> {
    while (end->ends == 0) {
      co_await yield();
    }
    core->close(*this_worker());
  };
  const std::function<void()> leave = [&] { core->leave(); };
  race(
      rounds(100'000, 500), [&] { rt.block_on(open); }, {leave, leave, leave},
      [&] {
        rt.block_on(close);
        ASSERT_EQ(end->ends, 1);
      });
}

}  // namespace
}  // namespace coppice::detail
