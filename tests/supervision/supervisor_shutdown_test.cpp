// shutdown() of a supervisor: who may call it, what it returns, and where the caller goes on.
#include <coppice/shield.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/report_log.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::fail_when_stopped;
using testing_support::failing;
using testing_support::report_log;
using testing_support::shielded_sleeper;
using testing_support::sleeper;

class SupervisorShutdown : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, SupervisorShutdown, testing::Values(1u, 2u, 4u));

// Hosts a supervisor whose body waits for ever, beside the task that ends it.
class hosted {
 public:
  // Returns when the children run.
  template <class Fill>
  task<> open(supervisor_options options, Fill& fill) {
    host_ = spawn({.name = "host"}, [this, options, &fill]() -> task<> {
      co_await with_supervisor(options, [this, &fill](supervisor& s) -> task<> {
        supervisor_ = &s;
        fill(s);
        co_await sleep_for(10'000h);
      });
      left_at = test_clock().elapsed();
    });
    co_await wait_all_tasks_blocked();
  }

  supervisor& operator*() const { return *supervisor_; }
  supervisor* operator->() const { return supervisor_; }
  const task_handle<>& host() const { return host_; }

  duration left_at{-1};  // When the code behind the scope ran.

 private:
  supervisor* supervisor_ = nullptr;
  task_handle<> host_;
};

TEST_P(SupervisorShutdown, EndsChildrenAndBodyFromAnotherTree) {
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    std::vector<task_handle<>> children;
    const auto fill = [&](supervisor& s) {
      for (int i = 0; i != 10; ++i) {
        children.push_back(s.spawn(sleeper(1h)));
      }
    };
    co_await jobs.open({.name = "jobs"}, fill);
    const shutdown_report report = co_await jobs->shutdown();
    for (const task_handle<>& each : children) {
      EXPECT_EQ(each.status(), task_status::cancelled);
      EXPECT_EQ(each.result().reason().kind(), cancel_kind::shutdown);
    }
    EXPECT_TRUE(report);
    EXPECT_EQ(report.cancelled, 10u);
    EXPECT_EQ(report.finished, 0u);
    EXPECT_EQ(report.failed, 0u);
    co_await jobs.host();
  });
  EXPECT_EQ(jobs.left_at, 0s) << "the code behind the scope runs";
}

TEST_P(SupervisorShutdown, OfNoChildrenEndsTheBody) {
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto nobody = [](supervisor&) {};
    co_await jobs.open({.drain = 1h}, nobody);
    const shutdown_report report = co_await jobs->shutdown();
    EXPECT_TRUE(report);
    EXPECT_EQ(report.finished + report.cancelled + report.failed, 0u);
    co_await jobs.host();
  });
  EXPECT_EQ(jobs.left_at, 0s);
}

TEST_P(SupervisorShutdown, GivesItsReasonToTheChildren) {
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const auto fill = [&](supervisor& s) { child = s.spawn(sleeper(1h)); };
    co_await jobs.open({}, fill);
    co_await jobs->shutdown(5s, "new settings");
    EXPECT_EQ(child.result().reason().message(), "new settings");
  });
}

TEST_P(SupervisorShutdown, A2TheFirstReasonStays) {
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const auto fill = [&](supervisor& s) { child = s.spawn(sleeper(1h)); };
    co_await jobs.open({}, fill);
    const scope_handle handle = jobs->handle();
    handle.cancel("first");
    handle.cancel("second");
    handle.request_shutdown();
    co_await jobs.host();
    EXPECT_EQ(child.result().reason().message(), "first");
  });
}

TEST_P(SupervisorShutdown, CountsWhatFailedAndReportsIt) {
  report_log log;
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto fill = [&](supervisor& s) {
      s.on_error(log.handler());
      s.spawn(fail_when_stopped("in cleanup"));
      s.spawn(sleeper(1h));
    };
    co_await jobs.open({}, fill);
    const shutdown_report report = co_await jobs->shutdown(5s, "bye");
    EXPECT_EQ(report.failed, 1u);
    EXPECT_EQ(report.cancelled, 1u);
  });
  const std::vector<error_report> reports = log.take();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].entry.message(), "in cleanup");
  ASSERT_NE(reports[0].entry.context(), nullptr);
  EXPECT_EQ(reports[0].entry.context()->message(), "bye");
}

TEST_P(SupervisorShutdown, DoesNotCountThoseThatEndedBefore) {
  report_log log;
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto fill = [&](supervisor& s) {
      s.on_error(log.handler());
      s.spawn(failing("long ago"));
      s.spawn([] {});
    };
    co_await jobs.open({}, fill);
    const shutdown_report report = co_await jobs->shutdown();
    EXPECT_EQ(report.finished + report.cancelled + report.failed, 0u);
  });
  EXPECT_EQ(log.size(), 1u);
}

// ---- Called from below --------------------------------------------------------------------------

TEST_P(SupervisorShutdown, FromItsBodyStopsTheBody) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      child = s.spawn(sleeper(1h));
      co_await s.shutdown(5s, "enough");
      ADD_FAILURE() << "the body goes on";
    });
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(child.result().reason().message(), "enough");
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(SupervisorShutdown, FromItsChildStopsTheChild) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> caller;
    task_handle<> sibling;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      sibling = s.spawn(sleeper(1h));
      caller = s.spawn([&]() -> task<> {
        co_await sleep_for(1s);
        co_await s.shutdown();
        ADD_FAILURE() << "the caller goes on";
      });
      co_await sleep_for(1h);
    });
    EXPECT_EQ(caller.status(), task_status::cancelled);
    EXPECT_EQ(sibling.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(SupervisorShutdown, FromAGrandchildStopsTheGrandchild) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> caller;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      s.spawn([&]() -> task<> {
        co_await with_group([&](task_group& g) -> task<> {
          caller = g.spawn([&]() -> task<> {
            co_await s.shutdown();
            ADD_FAILURE() << "the caller goes on";
          });
          co_await sleep_for(1h);
        });
        ADD_FAILURE() << "its parent goes on";
      });
      co_await sleep_for(1h);
    });
    EXPECT_EQ(caller.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(SupervisorShutdown, OfAnInnerOneLeavesTheOuterOneAlone) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> outer_child;
    task_handle<> inner_child;
    co_await with_supervisor([&](supervisor& outer) -> task<> {
      outer_child = outer.spawn(sleeper(1h));
      co_await with_supervisor([&](supervisor& inner) -> task<> {
        inner_child = inner.spawn(sleeper(2h));
        co_await inner.shutdown();
      });
      EXPECT_EQ(inner_child.status(), task_status::cancelled);
      EXPECT_FALSE(outer_child.done());
      EXPECT_FALSE(outer.cancelled());
    });
    EXPECT_EQ(outer_child.status(), task_status::completed);
  });
}

TEST_P(SupervisorShutdown, OfAnOuterOneEndsTheInnerOnes) {
  hosted outer;
  std::atomic<bool> went_on{false};
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> leaf;
    const auto fill = [&](supervisor& s) {
      s.spawn([&]() -> task<> {
        co_await with_supervisor([&](supervisor& inner) -> task<> {
          leaf = inner.spawn(sleeper(1h));
          co_await sleep_for(1h);
        });
        went_on = true;
      });
    };
    co_await outer.open({}, fill);
    const shutdown_report report = co_await outer->shutdown();
    EXPECT_EQ(report.cancelled, 1u) << "its own child; the leaf is the inner one's";
    EXPECT_EQ(leaf.status(), task_status::cancelled);
  });
  EXPECT_FALSE(went_on.load());
}

// ---- Several callers ----------------------------------------------------------------------------

TEST_P(SupervisorShutdown, ConcurrentCallsReturnTogether) {
  std::atomic<int> returned{0};
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> slow;
    const auto fill = [&](supervisor& s) { slow = s.spawn(shielded_sleeper(3s)); };
    co_await jobs.open({}, fill);
    const auto call_after = [&](duration d) -> task<> {
      co_await sleep_for(d);
      co_await jobs->shutdown();
      EXPECT_TRUE(slow.done());
      EXPECT_EQ(test_clock().elapsed(), 3s);
      returned.fetch_add(1);
    };
    std::vector<task_handle<>> callers;
    for (int i = 0; i != 3; ++i) {
      callers.push_back(spawn(call_after, i * 1s));
      callers.push_back(spawn(call_after, 0s));
    }
    for (const task_handle<>& each : callers) {
      co_await each;
    }
  });
  EXPECT_EQ(returned.load(), 6);
}

TEST_P(SupervisorShutdown, GoesOnWhenItsCallerGivesUp) {
  hosted jobs;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto fill = [](supervisor& s) { s.spawn(shielded_sleeper(4s)); };
    co_await jobs.open({}, fill);
    const auto report = co_await move_on_after(1s, jobs->shutdown());
    EXPECT_FALSE(report.has_value());
    EXPECT_EQ(test_clock().elapsed(), 1s);
    co_await jobs.host();
  });
  EXPECT_EQ(jobs.left_at, 4s);
}

TEST_P(SupervisorShutdown, DoesNotWaitForTheCodeBehindTheScope) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    supervisor* jobs = nullptr;
    const task_handle<> host = spawn([&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        jobs = &s;
        co_await sleep_for(1h);
      });
      co_await sleep_for(1s);
    });
    co_await wait_all_tasks_blocked();
    co_await jobs->shutdown();
    EXPECT_FALSE(host.done());
    co_await host;
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(SupervisorShutdown, A6ABodyThatFailsMeanwhileThrowsNaked) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    supervisor* jobs = nullptr;
    const task_handle<> host = spawn([&]() -> task<> {
      const auto body = [&](supervisor& s) -> task<> {
        jobs = &s;
        co_await fail_when_stopped("body");
      };
      EXPECT_THROW(co_await with_supervisor(body), std::runtime_error);
    });
    co_await wait_all_tasks_blocked();
    co_await jobs->shutdown();
    co_await host;
    EXPECT_EQ(host.status(), task_status::completed);
  });
}

}  // namespace
}  // namespace coppice
