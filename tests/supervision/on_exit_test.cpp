// on_exit, on_cancel and on_error: handlers of one coroutine, innermost first, before its awaiter goes on.
#include <coppice/cleanup.h>
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing_support::fail_after;
using testing_support::failing;
using testing_support::report_log;

class OnExit : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, OnExit, testing::Values(1u, 2u, 4u));

using events = std::vector<std::string>;

// Notes when it is destroyed.
class noting {
 public:
  noting(events& order, std::string text) : order_(&order), text_(std::move(text)) {}
  noting(noting&& other) noexcept
      : order_(std::exchange(other.order_, nullptr)), text_(std::move(other.text_)) {}
  ~noting() {
    if (order_ != nullptr) {
      order_->push_back(text_);
    }
  }

 private:
  events* order_;
  std::string text_;
};

// ---- When and in which order --------------------------------------------------------------------

TEST_P(OnExit, A16RunsTheLastRegisteredFirstBeforeTheAwaiterGoesOn) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<int> {
      co_await on_exit([&] { order.emplace_back("first"); });
      co_await on_exit([&]() -> task<> {
        co_await sleep_for(1s);
        order.emplace_back("second");
      });
      order.emplace_back("body");
      co_return 7;
    };
    const int value = co_await work();
    order.emplace_back("awaiter");
    EXPECT_EQ(value, 7);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
  EXPECT_THAT(order, ElementsAre("body", "second", "first", "awaiter"));
}

TEST_P(OnExit, BelongsToTheCoroutineThatAwaitedItAndNotToItsTask) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto inner = [&]() -> task<> { co_await on_exit([&] { order.emplace_back("inner"); }); };
    const auto outer = [&]() -> task<> {
      co_await on_exit([&] { order.emplace_back("outer"); });
      co_await inner();
      order.emplace_back("between");
    };
    co_await spawn(outer);
  });
  EXPECT_THAT(order, ElementsAre("inner", "between", "outer"));
}

TEST_P(OnExit, A16ParametersAreAliveAndLocalsAreNot) {
  for (const bool fails : {false, true}) {
    events order;
    test_runtime rt{{.workers = GetParam()}};
    rt.block_on([&]() -> task<> {
      const auto work = [&](noting) -> task<> {
        const noting local(order, "local");
        co_await on_exit([&] { order.emplace_back("handler"); });
        if (fails) {
          throw std::runtime_error("body");
        }
      };
      try {
        co_await work(noting(order, "parameter"));
      } catch (const std::runtime_error&) {
        order.emplace_back("caught");
      }
    });
    if (fails) {
      ASSERT_EQ(order.size(), 4u);
      EXPECT_THAT(events(order.begin(), order.begin() + 2), ElementsAre("local", "handler"));
    } else {
      EXPECT_THAT(order, ElementsAre("local", "handler", "parameter"));
    }
  }
}

TEST_P(OnExit, AStopRunsThemFromTheInnermostFrameOut) {
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto inner = [&]() -> task<> {
      co_await on_exit([&] { order.emplace_back("inner 1"); });
      co_await on_exit([&] { order.emplace_back("inner 2"); });
      co_await sleep_for(1h);
    };
    const auto outer = [&]() -> task<> {
      co_await on_exit([&]() -> task<> {
        co_await sleep_for(1s);
        order.emplace_back("outer");
      });
      co_await inner();
    };
    const task_handle<> child = spawn(outer);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
  EXPECT_THAT(order, ElementsAre("inner 2", "inner 1", "outer"));
}

TEST_P(OnExit, A3IsNoCancellationPoint) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      this_task::ref().cancel();
      co_await on_exit([&] { ran.fetch_add(1); });
      ran.fetch_add(10);
      co_await checkpoint();
      ran.fetch_add(100);
    };
    const task_handle<> child = spawn(work);
    EXPECT_THROW(co_await child, task_cancelled);
  });
  EXPECT_EQ(ran.load(), 11);
}

TEST(OnExitOneWorker, A12OfABodyThatNeverRanThereIsNone) {
  std::atomic<int> ran{0};
  test_runtime rt{{.workers = 1}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> { co_await on_exit([&] { ran.fetch_add(1); }); };
    const task_handle<> child = spawn(work);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
  });
  EXPECT_EQ(ran.load(), 0);
}

TEST_P(OnExit, AnLvalueIsCopied) {
  std::atomic<int> seen{0};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      auto owned = std::make_shared<int>(7);
      {
        auto handler = [&seen, owned] { seen.store(*owned); };
        co_await on_exit(handler);
      }
      EXPECT_EQ(owned.use_count(), 2);
      owned.reset();
      co_await sleep_for(1s);
    };
    co_await work();
  });
  EXPECT_EQ(seen.load(), 7);
}

TEST_P(OnExit, TakesAnyNumberOfThem) {
  constexpr int handlers = 1'000;
  std::vector<int> order;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      for (int i = 0; i != handlers; ++i) {
        co_await on_exit([&order, i] { order.push_back(i); });
      }
    };
    co_await work();
  });
  ASSERT_EQ(order.size(), std::size_t{handlers});
  for (int i = 0; i != handlers; ++i) {
    EXPECT_EQ(order[static_cast<std::size_t>(i)], handlers - 1 - i);
  }
}

TEST_P(OnExit, A1EndsBeforeTheScopeExits) {
  std::atomic<bool> ran{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_exit([&]() -> task<> {
        co_await sleep_for(1s);
        ran = true;
      });
    };
    task_handle<> child;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      child = s.spawn(work);
      co_await sleep_for(1ms);
      EXPECT_FALSE(child.done()) << "its handler still runs";
    });
    EXPECT_TRUE(ran.load());
    EXPECT_EQ(child.status(), task_status::completed);
  });
}

// ---- Shielded, for a while ----------------------------------------------------------------------

TEST_P(OnExit, A16IsShielded) {
  std::atomic<bool> ran{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_exit([&]() -> task<> {
        EXPECT_FALSE(cancel_requested());
        co_await sleep_for(2s);
        ran = true;
      });
      co_await sleep_for(1h);
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel();
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 3s);
  });
  EXPECT_TRUE(ran.load());
}

TEST_P(OnExit, A16IsStoppedAfterItsGraceAndThatIsReported) {
  report_log log;
  events order;
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_exit([&] { order.emplace_back("the next one still runs"); });
      co_await on_exit({.grace = 3s}, [&]() -> task<> {
        co_await sleep_for(1h);
        order.emplace_back("too slow");
      });
      co_await sleep_for(1h);
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel();
    EXPECT_THROW(co_await child, task_cancelled);
    EXPECT_EQ(test_clock().elapsed(), 4s);
  });
  EXPECT_THAT(order, ElementsAre("the next one still runs"));
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].origin, error_origin::cleanup);
}

// ---- Their failures -----------------------------------------------------------------------------

TEST_P(OnExit, ItsFailureIsThrownIfAllWasWell) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto work = []() -> task<int> {
      co_await on_exit([] { throw std::invalid_argument("handler"); });
      co_return 7;
    };
    EXPECT_THROW((void)co_await work(), std::invalid_argument);
  });
}

TEST_P(OnExit, A16ItsFailureBesideAnotherIsSuppressedAndReported) {
  report_log log;
  std::atomic<bool> ran{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler(log.handler());
  rt.block_on([&]() -> task<> {
    const auto work = [&]() -> task<> {
      co_await on_exit([&] { ran = true; });
      co_await on_exit([]() -> task<> { co_await fail_after(1s, "handler"); });
      co_await failing("body");
    };
    const outcome<> seen = co_await as_result(work());
    EXPECT_EQ(seen.entry().message(), "body");
    EXPECT_EQ(seen.entry().suppressed().size(), 1u);
    for (const error_entry& each : seen.entry().suppressed()) {
      EXPECT_EQ(each.message(), "handler");
    }
  });
  EXPECT_TRUE(ran.load()) << "one that fails does not keep the next from running";
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].origin, error_origin::cleanup);
}

TEST_P(OnExit, A16ItsFailureWhileStoppedMakesTheTaskFailedWithContext) {
  test_runtime rt{{.workers = GetParam()}};
  rt.set_error_handler([](const error_report&) {});  // Whether it hears of it is a race.
  rt.block_on([&]() -> task<> {
    const auto work = []() -> task<> {
      co_await on_exit([] { throw std::invalid_argument("handler"); });
      co_await sleep_for(1h);
    };
    const task_handle<> child = spawn(work);
    co_await sleep_for(1s);
    child.cancel("not wanted");
    EXPECT_THROW(co_await child, std::invalid_argument);
    const cancel_reason* const context = child.result().entry().context();
    EXPECT_TRUE(context != nullptr && context->message() == "not wanted");
  });
}

}  // namespace
}  // namespace coppice
