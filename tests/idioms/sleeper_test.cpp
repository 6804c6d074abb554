// The ten-second sleeper beside a task that fails: who stops it, and who lets it sleep on.
#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

class TenSecondSleeper : public testing_support::idiom_test {
 protected:
  // Its parameters live as long as its frame does.
  task<> holding(std::shared_ptr<int> resource) {
    co_await sleeper("sleeper", 10s);
    ++*resource;
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, TenSecondSleeper, testing::Values(1u, 2u, 4u));

TEST_P(TenSecondSleeper, IsStoppedBeforeGatherThrows) {
  rt_.block_on([&]() -> task<> {
    try {
      co_await gather(sleeper("sleeper", 10s), failing(1s, "network down"));
    } catch (const std::runtime_error& error) {
      note(error.what());
    }
  });
  EXPECT_THAT(journal(), ElementsAre("1s sleeper stopped: sibling_failed", "1s network down"));
  EXPECT_EQ(rt_.clock().elapsed(), 1s);
}

TEST_P(TenSecondSleeper, HasLeftNoFrameWhenGatherThrows) {
  const auto resource = std::make_shared<int>(0);
  rt_.block_on([&]() -> task<> {
    try {
      co_await gather(holding(resource), failing(1s, "network down"));
    } catch (const std::runtime_error&) {
      EXPECT_EQ(resource.use_count(), 1);
    }
  });
  EXPECT_EQ(*resource, 0);
}

TEST_P(TenSecondSleeper, IsStoppedBeforeAGroupThrows) {
  const auto resource = std::make_shared<int>(0);
  const auto both = [&](task_group& g) -> task<> {
    g.spawn(holding(resource));
    g.spawn(failing(1s, "network down"));
    co_return;
  };
  rt_.block_on([&]() -> task<> {
    const outcome<> end = co_await as_result(with_group(both));
    note(testing_support::leaves_of(end.entry()));
    EXPECT_EQ(resource.use_count(), 1);
  });
  EXPECT_THAT(journal(), ElementsAre("1s sleeper stopped: sibling_failed", "1s [network down]"));
}

TEST_P(TenSecondSleeper, IsStoppedInAGroupThoughNobodyAwaitsTheTaskThatFails) {
  const auto body = [&](task_group& g) -> task<> {
    g.spawn(failing(1s, "network down"));
    const task_handle<> awaited = g.spawn(sleeper("sleeper", 10s));
    co_await awaited;
    note("not reached");
  };
  EXPECT_THROW(rt_.block_on([&]() -> task<> { co_await with_group(body); }), exception_group);
  EXPECT_THAT(journal(), ElementsAre("1s sleeper stopped: sibling_failed"));
}

TEST_P(TenSecondSleeper, SleepsOnInASupervisor) {
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn(sleeper("sleeper", 10s));
      s.spawn(failing(1s, "network down"));
      co_return;
    });
    note("all ended");
  });
  EXPECT_THAT(journal(),
              ElementsAre("1s reported network down", "10s sleeper done", "10s all ended"));
}

TEST_P(TenSecondSleeper, SleepsOnBesideGatherSettled) {
  rt_.block_on([&]() -> task<> {
    const auto [slept, failed] =
        co_await gather_settled(sleeper("sleeper", 10s), failing(1s, "network down"));
    EXPECT_TRUE(slept.completed());
    EXPECT_TRUE(failed.failed());
  });
  EXPECT_THAT(journal(), ElementsAre("10s sleeper done"));
}

TEST_P(TenSecondSleeper, SleepsOnBehindAWaitUntilItIsCancelledAndAwaited) {
  rt_.block_on([&]() -> task<> {
    const std::vector<task_handle<>> both{spawn(sleeper("sleeper", 10s)),
                                          spawn(failing(1s, "network down"))};
    const auto [done, pending] = co_await wait(both, when::first_failed);
    EXPECT_THAT(done, ElementsAre(both[1]));
    EXPECT_THAT(pending, ElementsAre(both[0]));
    co_await sleep_for(1s);
    EXPECT_FALSE(both[0].done());
    co_await cancel_all(pending, "the other one failed");
    EXPECT_EQ(both[0].status(), task_status::cancelled);
    note("all ended");
  });
  EXPECT_THAT(journal(), ElementsAre("1s reported network down",
                                     "2s sleeper stopped: the other one failed", "2s all ended"));
}

// ---- Cancel and wait for all --------------------------------------------------------------------

class CancelAndWaitForAll : public testing_support::idiom_test {};

INSTANTIATE_TEST_SUITE_P(Workers, CancelAndWaitForAll, testing::Values(1u, 2u, 4u));

TEST_P(CancelAndWaitForAll, ReturnsWhenTheSlowestHasEnded) {
  rt_.block_on([&]() -> task<> {
    const std::vector<task_handle<>> all{spawn(slow_to_stop("a", 2s)), spawn(slow_to_stop("b", 3s)),
                                         spawn(sleeper("c", 1h))};
    co_await sleep_for(1s);
    co_await cancel_all(all, "closing down");
    note("all ended");
    for (const task_handle<>& each : all) {
      EXPECT_EQ(each.status(), task_status::cancelled);
      EXPECT_EQ(each.result().reason().message(), "closing down");
    }
  });
  EXPECT_THAT(journal(), ElementsAre("1s c stopped: closing down", "4s all ended"));
}

TEST_P(CancelAndWaitForAll, TakesTasksOfAnyTypeAndThoseThatHaveEnded) {
  rt_.block_on([&]() -> task<> {
    const task_handle<int> ended = spawn(value(0s, 7));
    const task_handle<> live = spawn(sleeper("live", 1h));
    co_await sleep_for(1s);
    const std::vector<task_ref> mixed{ended, live};
    co_await cancel_all(mixed, "closing down");
    EXPECT_EQ(ended.result().get(), 7);
    EXPECT_EQ(live.status(), task_status::cancelled);
  });
  EXPECT_THAT(journal(), ElementsAre("1s live stopped: closing down"));
}

TEST_P(CancelAndWaitForAll, AFailureOnTheWayOutIsReportedAndNotThrown) {
  rt_.block_on([&]() -> task<> {
    const std::vector<task_handle<>> all{spawn(failing_when_stopped("a could not save")),
                                         spawn(failing_when_stopped("b could not save")),
                                         spawn(sleeper("c", 1h))};
    co_await sleep_for(1s);
    co_await cancel_all(all, "closing down");
    note("all ended");
    EXPECT_EQ(all[0].status(), task_status::failed);
    EXPECT_EQ(all[1].status(), task_status::failed);
    EXPECT_EQ(all[2].status(), task_status::cancelled);
  });
  EXPECT_THAT(reports_.messages(), ElementsAre("a could not save", "b could not save"));
  EXPECT_EQ(journal().size(), 4u);
}

TEST_P(CancelAndWaitForAll, GoesOnWaitingWhenItsCallerIsCancelled) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> slow = spawn(slow_to_stop("slow", 4s));
    const task_handle<> closing = spawn([&]() -> task<> {
      co_await sleep_for(1s);
      co_await cancel_and_wait(slow, "closing down");
      note("not reached");
    });
    co_await sleep_for(2s);
    co_await cancel_and_wait(closing, "hurry");
    EXPECT_TRUE(slow.done());
    EXPECT_EQ(closing.status(), task_status::cancelled);
    note("both ended");
  });
  EXPECT_THAT(journal(), ElementsAre("5s both ended"));
}

TEST_P(CancelAndWaitForAll, OfAGroupFromInsideIsAbsorbedByIt) {
  rt_.block_on([&]() -> task<> {
    co_await with_group([&](task_group& g) -> task<> {
      g.spawn(sleeper("a", 1h));
      g.spawn(sleeper("b", 1h));
      co_await sleep_for(1s);
      g.cancel("closing down");
    });
    note("main goes on");
  });
  EXPECT_THAT(journal(), UnorderedElementsAre("1s a stopped: closing down",
                                              "1s b stopped: closing down", "1s main goes on"));
  EXPECT_EQ(journal().back(), "1s main goes on");
}

}  // namespace
}  // namespace coppice
