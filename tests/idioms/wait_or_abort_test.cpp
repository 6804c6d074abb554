// wait_or_abort, as_completed_or_abort: failure or timeout aborts the rest, success does not.
#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class WaitOrAbort : public testing_support::idiom_test {
 protected:
  using result = std::vector<task_handle<>>;

  // How wait_or_abort ends when it is called now, noted as well.
  template <class... Handles>
  task<outcome<result>> end_of(duration timeout, Handles... handles) {
    return end_of_all(result{handles...}, timeout);
  }

  task<outcome<result>> end_of_all(result handles, duration timeout) {
    outcome<result> end = co_await as_result(wait_or_abort(handles, timeout));
    note(end.failed() ? end.entry().message() : std::string(to_string(end.status())));
    co_return end;
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, WaitOrAbort, testing::Values(1u, 2u, 4u));

TEST_P(WaitOrAbort, ASuccessAbortsNothing) {
  rt_.block_on([&]() -> task<> {
    const std::vector<task_handle<int>> all{spawn(value(1s, 1)), spawn(value(3s, 3)),
                                            spawn(value(2s, 2))};
    const std::vector<task_handle<int>> done = co_await wait_or_abort(all);
    EXPECT_EQ(done, all);
    int sum = 0;
    for (const task_handle<int>& each : done) {
      sum += each.result().get();
    }
    EXPECT_EQ(sum, 6);
  });
  EXPECT_EQ(rt_.clock().elapsed(), 3s);
}

TEST_P(WaitOrAbort, OfNothingReturnsAtOnce) {
  rt_.block_on([&]() -> task<> {
    const std::vector<task_handle<>> none;
    const std::vector<task_handle<>> done = co_await wait_or_abort(none, 1s);
    EXPECT_THAT(done, IsEmpty());
  });
  EXPECT_EQ(rt_.clock().elapsed(), 0s);
}

TEST_P(WaitOrAbort, TheFirstFailureCancelsAndAwaitsTheRestAndIsThrownNaked) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> slow = spawn(slow_to_stop("slow", 2s));
    const auto end = co_await end_of(forever, spawn(sleeper("sleeper", 1h)), slow,
                                     spawn(failing(1s, "network down")));
    EXPECT_NE(end.entry().get_if<std::runtime_error>(), nullptr);
    EXPECT_EQ(slow.status(), task_status::cancelled);
    EXPECT_EQ(slow.result().reason().kind(), cancel_kind::sibling_failed);
  });
  EXPECT_THAT(journal(), ElementsAre("1s sleeper stopped: sibling_failed", "3s network down"));
}

TEST_P(WaitOrAbort, AFailureFromBeforeTheCallCounts) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> failed = spawn(failing(1s, "network down"));
    const task_handle<> live = spawn(sleeper("live", 1h));
    co_await sleep_for(2s);
    const auto end = co_await end_of(forever, live, failed);
    EXPECT_TRUE(end.failed());
  });
  EXPECT_THAT(journal(), ElementsAre("1s reported network down", "2s live stopped: sibling_failed",
                                     "2s network down"));
}

TEST_P(WaitOrAbort, ATaskThatSomebodyCancelledAbortsTheRest) {
  rt_.block_on([&]() -> task<> {
    const task_handle<> live = spawn(sleeper("live", 1h));
    const task_handle<> unwanted = spawn(sleeper("unwanted", 1h));
    spawn([unwanted]() -> task<> {
      co_await sleep_for(1s);
      unwanted.cancel("not wanted");
    });
    const auto end = co_await end_of(forever, live, unwanted);
    const auto* const cancelled = end.entry().get_if<task_cancelled>();
    EXPECT_TRUE(cancelled != nullptr && cancelled->id() == unwanted.id());
    EXPECT_EQ(live.status(), task_status::cancelled);
  });
  EXPECT_EQ(rt_.clock().elapsed(), 1s);
}

TEST_P(WaitOrAbort, TheTimeoutCancelsAndAwaitsAll) {
  rt_.block_on([&]() -> task<> {
    const auto end =
        co_await end_of(5s, spawn(sleeper("sleeper", 1h)), spawn(slow_to_stop("slow", 2s)));
    const auto* const late = end.entry().get_if<timeout_error>();
    EXPECT_TRUE(late != nullptr && late->limit() == 5s);
  });
  EXPECT_THAT(journal(), ElementsAre("5s sleeper stopped: deadline", "7s timed out after 5s"));
}

TEST_P(WaitOrAbort, AFailureThatTheTimeoutBringsAboutBeatsIt) {
  rt_.block_on([&]() -> task<> {
    const auto end = co_await end_of(5s, spawn(failing_when_stopped("not saved")),
                                     spawn(sleeper("sleeper", 1h)));
    EXPECT_TRUE(end.failed());
  });
  EXPECT_EQ(journal().back(), "5s not saved");
}

TEST_P(WaitOrAbort, InTimeTheTimeoutDoesNothing) {
  rt_.block_on([&]() -> task<> {
    const auto end = co_await end_of(5s, spawn(sleeper("sleeper", 1s)));
    EXPECT_TRUE(end.completed());
    co_await sleep_for(10s);
  });
  EXPECT_THAT(journal(), ElementsAre("1s sleeper done", "1s completed"));
}

TEST_P(WaitOrAbort, LaterFailuresAreSuppressedOnesAndNoneIsLost) {
  rt_.block_on([&]() -> task<> {
    const auto end = co_await end_of(forever, spawn(failing(1s, "first")),
                                     spawn(failing_when_stopped("second")));
    EXPECT_EQ(end.entry().message(), "first");
    EXPECT_EQ(end.entry().suppressed().size(), 1u);
  });
  EXPECT_THAT(reports_.messages(), ElementsAre("second"));
}

TEST_P(WaitOrAbort, CancelledItTakesAllAlong) {
  rt_.block_on([&]() -> task<> {
    const std::vector<task_handle<>> all{spawn(sleeper("a", 1h)), spawn(slow_to_stop("b", 2s))};
    const task_handle<> waiting = spawn([&]() -> task<> {
      co_await wait_or_abort(all);
      note("not reached");
    });
    co_await sleep_for(1s);
    co_await cancel_and_wait(waiting, "closing down");
    EXPECT_TRUE(all[0].done() && all[1].done());
    note("all ended");
  });
  EXPECT_EQ(journal().size(), 2u);
  EXPECT_EQ(journal().back(), "3s all ended");
}

// ---- as_completed_or_abort ----------------------------------------------------------------------

class AsCompletedOrAbort : public testing_support::idiom_test {
 protected:
  // Notes each value as it comes, and how it ends.
  task<> take_all(completions<int>& c) {
    while (true) {
      const std::optional<finished<int>> next = co_await c.next();
      if (!next) {
        co_return note("no more");
      }
      note("value " + std::to_string(next->get()) + " of " + std::to_string(next->index));
    }
  }

  task<int> late_failure(duration after, std::string text) {
    co_await failing(after, text);
    co_return 0;
  }

  task<int> failing_late(std::string text) {
    co_await failing_when_stopped(text);
    co_return 0;
  }

  task<int> endless(std::string name) {
    co_await sleeper(name, 1h);
    co_return 0;
  }

  static std::vector<task<int>> list(task<int> a, task<int> b, task<int> c) {
    std::vector<task<int>> all;
    all.push_back(std::move(a));
    all.push_back(std::move(b));
    all.push_back(std::move(c));
    return all;
  }

  std::function<task<>(completions<int>&)> taking() {
    return [this](completions<int>& c) { return take_all(c); };
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, AsCompletedOrAbort, testing::Values(1u, 2u, 4u));

TEST_P(AsCompletedOrAbort, GivesTheValuesAsTheyCome) {
  const auto body = taking();
  std::vector<task<int>> all = list(value(3s, 30), value(1s, 10), value(2s, 20));
  rt_.block_on([&]() -> task<> { co_await as_completed_or_abort(std::move(all), body); });
  EXPECT_THAT(journal(), ElementsAre("1s value 10 of 1", "2s value 20 of 2", "3s value 30 of 0",
                                     "3s no more"));
}

TEST_P(AsCompletedOrAbort, AFailureEndsTheRestAndIsThrownByNext) {
  const auto body = taking();
  std::vector<task<int>> all = list(value(1s, 10), endless("c"), late_failure(2s, "network down"));
  const outcome<> end = rt_.block_on([&]() -> task<outcome<>> {
    co_return co_await as_result(as_completed_or_abort(std::move(all), body));
  });
  note(end.entry().message());
  EXPECT_THAT(journal(),
              ElementsAre("1s value 10 of 0", "2s c stopped: sibling_failed", "2s network down"));
}

TEST_P(AsCompletedOrAbort, TheTimeoutEndsTheRestAndIsThrownByNext) {
  const auto body = taking();
  std::vector<task<int>> all = list(value(1s, 10), value(2s, 20), endless("c"));
  const outcome<> end = rt_.block_on([&]() -> task<outcome<>> {
    co_return co_await as_result(as_completed_or_abort(5s, std::move(all), body));
  });
  note(end.entry().message());
  EXPECT_NE(end.entry().get_if<timeout_error>(), nullptr);
  EXPECT_THAT(journal(), ElementsAre("1s value 10 of 0", "2s value 20 of 1",
                                     "5s c stopped: deadline", "5s timed out after 5s"));
}

TEST_P(AsCompletedOrAbort, TheBodyMayCatchWhatNextThrows) {
  std::vector<task<int>> all = list(endless("a"), endless("b"), late_failure(1s, "network down"));
  const int got = rt_.block_on([&]() -> task<int> {
    co_return co_await as_completed_or_abort(std::move(all), [&](completions<int>& c) -> task<int> {
      try {
        co_await c.next();
      } catch (const std::runtime_error& error) {
        note(error.what());
      }
      co_return 7;
    });
  });
  EXPECT_EQ(got, 7);
  EXPECT_EQ(journal().size(), 3u);
  EXPECT_EQ(journal().back(), "1s network down");  // Behind the two that were stopped.
}

TEST_P(AsCompletedOrAbort, LeavingEarlyCancelsAndAwaitsTheRest) {
  const auto resource = std::make_shared<int>(0);
  std::vector<task<int>> all = list(value(1s, 10), endless("b"), [](auto held) -> task<int> {
    co_await sleep_for(1h);
    co_return *held;
  }(resource));
  rt_.block_on([&]() -> task<> {
    const int first =
        co_await as_completed_or_abort(std::move(all), [](completions<int>& c) -> task<int> {
          const auto next = co_await c.next();
          co_return next->get();
        });
    EXPECT_EQ(first, 10);
    note("left");
    EXPECT_EQ(resource.use_count(), 1);
  });
  EXPECT_EQ(journal().size(), 2u);
  EXPECT_EQ(journal().back(), "1s left");
}

TEST_P(AsCompletedOrAbort, LaterFailuresAreReported) {
  const auto body = taking();
  std::vector<task<int>> all =
      list(late_failure(1s, "first"), endless("b"), failing_late("second"));
  const outcome<> end = rt_.block_on([&]() -> task<outcome<>> {
    co_return co_await as_result(as_completed_or_abort(std::move(all), body));
  });
  EXPECT_EQ(end.entry().message(), "first");
  EXPECT_THAT(reports_.messages(), ElementsAre("second"));
}

}  // namespace
}  // namespace coppice
