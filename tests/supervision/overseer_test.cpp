// The overseer's coroutine is there while there is something to look after.
#include "supervision/overseer.h"

#include <coppice/event.h>
#include <coppice/supervisor.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::settled;
using testing_support::stage;
using testing_support::task_of;
using testing_support::texts;

class Overseer : public testing_support::tree_test {
 protected:
  static detail::overseer* of(const supervisor& s) {
    return static_cast<detail::supervisor_core&>(*detail::scope_access::core(s).get())
        .known_overseer();
  }

  stage on_;
  test_runtime rt_{workers()};
};
INSTANTIATE_TEST_SUITE_P(Workers, Overseer, testing::Values(1u, 2u, 4u));

TEST_P(Overseer, IsNotMadeForWhatSpawnStarts) {
  rt_.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      s.spawn(testing_support::sleeper(1s));
      co_await settled();
      EXPECT_EQ(s.which_children().size(), 1u);
      EXPECT_EQ(s.count_children().active, 1u);
      EXPECT_EQ(of(s), nullptr);
    };
    co_await with_supervisor(body);
    co_await with_supervisor({}, std::vector<child_spec>(), body);
  });
}

// Its frames are those of its coroutine, while that waits. Counted from outside, with every worker at rest.
TEST_P(Overseer, GoesWhenNothingIsLeftAndComesBackWhenCalled) {
  event start, finish, restart, end;
  const auto body = [&](supervisor& s) -> task<> {
    co_await start.wait();
    const child_spec a = on_.child("a", restart_type::transient);
    co_await s.start_child(a);
    co_await finish.wait();
    on_.finish("a");
    co_await restart.wait();
    co_await s.restart_child("a");
    EXPECT_TRUE(task_of(s, "a"));
    co_await s.terminate_child("a");
    co_await end.wait();
    co_await s.delete_child("a");
  };
  const auto frames_after = [&](event& step) {
    step.set();
    rt_.run_until_blocked();
    return rt_.live_frames();
  };
  const task_handle<> all = rt_.spawn([&]() -> task<> { co_await with_supervisor(body); });
  rt_.run_until_blocked();
  const std::size_t before = rt_.live_frames();
  EXPECT_GT(frames_after(start), before);
  EXPECT_EQ(frames_after(finish), before);
  EXPECT_EQ(frames_after(restart), before);
  frames_after(end);
  EXPECT_EQ(all.status(), task_status::completed);
  EXPECT_EQ(on_.take(), (texts{"+a", "-a", "+a", "-a"}));
}

TEST_P(Overseer, DoesNotKeepTheSupervisorOpenWhenItsChildrenHaveEnded) {
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a", "b"}, restart_type::transient);
    const task_handle<> helper = spawn([&]() -> task<> {
      co_await sleep_for(1s);
      on_.finish("a");
      co_await sleep_for(1s);
      on_.finish("b");
    });
    co_await supervise({}, specs);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(Overseer, IsNoTaskOfItsOwn) {
  rt_.block_on([&]() -> task<> {
    const auto specs = on_.children({"a"});
    const auto body = [&](supervisor& s) -> task<> {
      EXPECT_EQ(all_tasks().size(), 2u) << "main and a";
      EXPECT_EQ(s.size(), 1u);
      co_await s.shutdown();
    };
    co_await with_supervisor({}, specs, body);
  });
}

TEST_P(Overseer, ListsSpecifiedChildrenInTheOrderOfTheirStartThenTheOthers) {
  rt_.block_on([&]() -> task<> {
    std::vector<child_spec> specs = on_.children({"b", "a"});
    specs[1].type(child_type::supervisor);
    const auto body = [&](supervisor& s) -> task<> {
      const task_handle<> spawned = s.spawn({.name = "x"}, testing_support::sleeper(1s));
      const child_spec c = on_.child("c");
      co_await s.start_child(c);
      const std::vector<child_info> all = s.which_children();
      EXPECT_EQ(all.size(), 4u);
      std::string ids;
      for (const child_info& each : all) {
        ids += each.id + ",";
      }
      EXPECT_EQ(ids, "b,a,c,,");
      EXPECT_EQ(all.back().task.id(), spawned.id());
      EXPECT_EQ(all[1].type, child_type::supervisor);
      const child_counts counts = s.count_children();
      EXPECT_EQ(counts.specs, 3u);
      EXPECT_EQ(counts.active, 4u);
      EXPECT_EQ(counts.supervisors, 1u);
      EXPECT_EQ(counts.workers, 3u);
      co_await s.shutdown();
    };
    co_await with_supervisor({}, specs, body);
  });
}

}  // namespace
}  // namespace coppice
