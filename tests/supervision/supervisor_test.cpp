// Children of a supervisor live and fail alone, and all have ended when its scope is left.
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::fail_after;
using testing_support::fail_when_stopped;
using testing_support::failing;
using testing_support::number_after;
using testing_support::report_log;
using testing_support::sleeper;

class Supervisor : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, Supervisor, testing::Values(1u, 2u, 4u));

// ---- How it is left -----------------------------------------------------------------------------

TEST_P(Supervisor, GivesTheBodysValueWhenTheChildrenHaveEnded) {
  test_runtime rt{{.workers = GetParam()}};
  const int result = rt.block_on([&]() -> task<int> {
    task_handle<> child;
    const int value = co_await with_supervisor([&](supervisor& s) -> task<int> {
      child = s.spawn(sleeper(1h));
      co_return 7;
    });
    EXPECT_EQ(child.status(), task_status::completed);
    EXPECT_EQ(test_clock().elapsed(), 1h);
    co_return value;
  });
  EXPECT_EQ(result, 7);
}

TEST_P(Supervisor, OfNothingIsLeftAtOnce) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      EXPECT_EQ(s.size(), 0u);
      co_return;
    });
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(Supervisor, A1WaitsAlsoForWhatItsChildrenSpawn) {
  std::atomic<int> ended{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn([&]() -> task<> {
        co_await sleep_for(1s);
        s.spawn([&]() -> task<> {
          co_await sleep_for(1s);
          s.spawn([&] { ended.fetch_add(1); });
        });
      });
      co_return;
    });
    EXPECT_EQ(ended.load(), 1);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

// Parameters go with the frame.
task<> sleep_holding(duration d, std::shared_ptr<int> /*held*/) {
  co_await sleep_for(d);
}

TEST_P(Supervisor, A1NoFrameOfAChildIsLeftBehindIt) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto held = std::make_shared<int>(0);
    co_await with_supervisor([&](supervisor& s) -> task<> {
      for (int i = 0; i != 100; ++i) {
        s.spawn(sleep_holding(i * 1ms, held));
      }
      co_return;
    });
    EXPECT_EQ(held.use_count(), 1);
  });
}

// ---- Failures of children -----------------------------------------------------------------------

TEST_P(Supervisor, A10AFailureOfAChildConcernsNobodyElse) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const int result = co_await with_supervisor([&](supervisor& s) -> task<int> {
      s.on_error(log.handler());
      const task_handle<int> sibling = s.spawn(number_after(1h, 3));
      const task_handle<> bad = s.spawn(failing("bad"));
      co_await sleep_for(1s);
      EXPECT_EQ(bad.status(), task_status::failed);
      EXPECT_FALSE(sibling.done());
      EXPECT_FALSE(s.cancelled());
      co_return co_await sibling;
    });
    EXPECT_EQ(result, 3);
    EXPECT_EQ(test_clock().elapsed(), 1h);
  });
  EXPECT_THAT(log.messages(), ElementsAre("bad"));
}

TEST_P(Supervisor, A10AFailureIsReportedAtOnce) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn(fail_after(2s, "bad"));
      co_await sleep_for(1s);
      EXPECT_EQ(log.size(), 0u);
      co_await sleep_for(2s);
      EXPECT_EQ(log.size(), 1u);
      co_await sleep_for(1h);
    });
  });
  EXPECT_EQ(log.size(), 1u);
}

TEST_P(Supervisor, A10AFailureIsReportedOnceThoughItIsAwaited) {
  report_log log;
  std::atomic<int> thrown{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      const task_handle<> bad = s.spawn(fail_after(1s, "bad"));
      const auto awaits = [&]() -> task<> {
        try {
          co_await bad;
        } catch (const std::runtime_error&) {
          thrown.fetch_add(1);
        }
      };
      for (int i = 0; i != 5; ++i) {
        s.spawn(awaits);
      }
      EXPECT_THROW(co_await bad, std::runtime_error);
      co_await sleep_for(1s);
    });
  });
  EXPECT_EQ(thrown.load(), 5);
  EXPECT_THAT(log.messages(), ElementsAre("bad"));
}

TEST_P(Supervisor, A10ReportsEachOfManyFailuresOfOneInstant) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      for (int i = 0; i != 500; ++i) {
        s.spawn(fail_after(1s, std::to_string(i)));
      }
      co_return;
    });
  });
  std::vector<std::string> messages = log.messages();
  EXPECT_EQ(messages.size(), 500u);
  EXPECT_EQ(std::unique(messages.begin(), messages.end()), messages.end());
}

TEST_P(Supervisor, A10AFailureIsNotKept) {
  struct owning_error {
    std::shared_ptr<int> owned;
  };
  std::weak_ptr<int> kept;
  std::atomic<int> reports{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error([&](const error_report&) { reports.fetch_add(1); });
      s.spawn([&]() -> task<> {
        owning_error error{std::make_shared<int>(1)};
        kept = error.owned;
        throw error;
        co_return;
      });
      co_await sleep_for(1s);
      EXPECT_EQ(reports.load(), 1);
      EXPECT_TRUE(kept.expired()) << "nobody holds the handle, and the supervisor keeps nothing";
    });
  });
}

TEST_P(Supervisor, A7ACancelledChildIsNoFailure) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      const task_handle<> child = s.spawn(sleeper(1h));
      co_await sleep_for(1s);
      child.cancel("not wanted");
      EXPECT_THROW(co_await child, task_cancelled);
      EXPECT_FALSE(s.cancelled());
    });
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(Supervisor, ReportsTheTimeoutOfAChild) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn({.name = "slow", .timeout = 5s}, sleeper, 1h);
      co_return;
    });
    EXPECT_EQ(test_clock().elapsed(), 5s);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].entry.get_if<timeout_error>(), nullptr);
  EXPECT_EQ(reports[0].entry.name(), "slow");
}

TEST_P(Supervisor, TakesAnythingThatIsThrown) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn([] { throw 5; });
      co_return;
    });
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  const int* const thrown = reports[0].entry.get_if<int>();
  ASSERT_NE(thrown, nullptr);
  EXPECT_EQ(*thrown, 5);
}

TEST_P(Supervisor, AGroupInsideAChildIsOneFailure) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn([]() -> task<> {
        co_await with_group({.on_failure = on_child_failure::collect_all},
                            [](task_group& g) -> task<> {
                              g.spawn(fail_after(1s, "one"));
                              g.spawn(fail_after(2s, "two"));
                              co_return;
                            });
      });
      co_return;
    });
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  const auto* const group = reports[0].entry.get_if<exception_group>();
  ASSERT_NE(group, nullptr);
  EXPECT_EQ(group->leaf_count(), 2u);
}

TEST_P(Supervisor, InOneAnotherEachHearsOfItsOwnChildren) {
  report_log outer_log;
  report_log inner_log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& outer) -> task<> {
      outer.on_error(outer_log.handler());
      outer.spawn([&]() -> task<> {
        co_await with_supervisor([&](supervisor& inner) -> task<> {
          inner.on_error(inner_log.handler());
          inner.spawn(failing("a child of the inner one"));
          co_await sleep_for(1s);
          throw std::runtime_error("the inner body");
        });
      });
      co_return;
    });
  });
  EXPECT_THAT(inner_log.messages(), ElementsAre("a child of the inner one"));
  EXPECT_THAT(outer_log.messages(), ElementsAre("the inner body"));
}

// ---- Failures of the body -----------------------------------------------------------------------

TEST_P(Supervisor, A10ABodysFailureEndsTheChildrenAndLeavesNaked) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const auto body = [&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      child = s.spawn(sleeper(1h));
      co_await sleep_for(1s);
      throw std::invalid_argument("body");
    };
    EXPECT_THROW(co_await with_supervisor(body), std::invalid_argument);
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_EQ(log.size(), 0u) << "it was thrown, so it is not reported";
}

TEST_P(Supervisor, A10AwaitsChildrenThatResistWhenTheBodyHasFailed) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      s.spawn(testing_support::shielded_sleeper(1h));
      co_await sleep_for(1s);
      throw std::invalid_argument("body");
    };
    EXPECT_THROW(co_await with_supervisor(body), std::invalid_argument);
    EXPECT_EQ(test_clock().elapsed(), 1h);
  });
}

TEST_P(Supervisor, ReportsAChildThatFailsBecauseTheBodyFailed) {
  report_log log;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [&](supervisor& s) -> task<> {
      s.on_error(log.handler());
      s.spawn(fail_when_stopped("child"));
      co_await sleep_for(1s);
      throw std::invalid_argument("body");
    };
    EXPECT_THROW(co_await with_supervisor(body), std::invalid_argument);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "child");
  EXPECT_NE(reports[0].entry.context(), nullptr) << "it was being cancelled";
}

}  // namespace
}  // namespace coppice
