// Specified children, where each allocation fails in turn.
#include <coppice/sleep.h>
#include <coppice/supervisor.h>
#include <gtest/gtest.h>

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/tree_faults.h"

namespace coppice {
namespace {

using testing_support::is_want_of_memory;
using testing_support::long_name;
using testing_support::sleeping_for_ever;
using testing_support::spare_allocations;
using testing_support::tree_without_memory;

class RestartsWithoutMemory : public tree_without_memory {};

// What is counted in comes out again: as many frames as said that they live.
struct counted {
  explicit counted(int& live) noexcept : live_(live) { ++live_; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --live_; }

 private:
  int& live_;
};

// Says that it has started, behind a suspension.
child_spec gated(const std::string& id, int& live) {
  return child_spec(id, [&live](start_gate& gate) -> task<> {
    const counted here(live);
    co_await yield();
    gate.started();
    co_await sleeping_for_ever();
  });
}

bool lists(const supervisor& s, std::string_view id) {
  const spare_allocations spared;
  for (const child_info& each : s.which_children()) {
    if (each.id == id) {
      return true;
    }
  }
  return false;
}

// By name, an id of which is not kept within the string.
std::string long_id(int number) {
  return std::string(long_name) + ' ' + std::to_string(number);
}

// Has it been done? If not, then for want of memory; the call's own, or the supervisor's, which then fails by it.
task<bool> is_done(supervisor& of, task<child_info> call) {
  try {
    co_await std::move(call);
    co_return true;
  } catch (const scope_closed&) {
    EXPECT_TRUE(of.cancelled());
  } catch (...) {
    const spare_allocations spared;
    EXPECT_TRUE(is_want_of_memory(error_entry(std::current_exception())));
  }
  co_return false;
}

// One that has started may fail behind that, and is started again.
TEST_F(RestartsWithoutMemory, AllStartOrNone) {
  int live = 0;
  survives([&]() -> task<> {
    EXPECT_EQ(live, 0);
    const std::vector<child_spec> specs = {gated(long_id(1), live), gated(long_id(2), live)};
    const auto body = [&](supervisor& s) -> task<> {
      EXPECT_EQ(s.count_children().specs, 2u);
      co_await s.shutdown();
      EXPECT_EQ(live, 0);
    };
    co_await with_supervisor({}, specs, body);
  });
}

TEST_F(RestartsWithoutMemory, ACallThatThrowsHasAddedNothing) {
  int live = 0;
  survives([&]() -> task<> {
    EXPECT_EQ(live, 0);
    const auto body = [&](supervisor& s) -> task<> {
      const std::string id = long_id(1);
      const child_spec spec = gated(id, live);
      const bool started = co_await is_done(s, s.start_child(spec));
      EXPECT_TRUE(started || live == 0);
      EXPECT_TRUE(lists(s, id) == started || s.cancelled());
      if (started) {
        co_await s.terminate_child(id);
        EXPECT_EQ(live, 0);
        const bool again = co_await is_done(s, s.restart_child(id));
        EXPECT_TRUE(again || live == 0);
        EXPECT_TRUE(lists(s, id));
      }
      co_await s.shutdown();
    };
    co_await with_supervisor(body);
  });
}

// A failure is never lost: it is reported, or the supervisor fails.
TEST_F(RestartsWithoutMemory, OneThatFailsIsStartedAgainOrTheSupervisorFails) {
  int live = 0;
  survives([&]() -> task<> {
    EXPECT_EQ(live, 0);
    int starts = 0;
    const auto failing_twice = [&]() -> task<> {
      const counted here(live);
      if (++starts != 3) {
        throw std::bad_alloc();
      }
      co_return;
    };
    std::vector<child_spec> specs;
    specs.emplace_back(long_id(1), failing_twice).restart(restart_type::transient);
    specs.push_back(gated(long_id(2), live));
    specs.back().restart(restart_type::temporary);
    const auto watch = [&](supervisor& s) -> task<> {
      while (starts < 3) {
        co_await yield();
      }
      co_await s.shutdown();
    };
    co_await with_supervisor({.strategy = restart_strategy::one_for_all}, specs, watch);
    EXPECT_EQ(starts, 3);
  });
}

}  // namespace
}  // namespace coppice
