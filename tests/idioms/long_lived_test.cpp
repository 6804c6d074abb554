// A supervisor as a member of a long-lived object, shut down from other trees and by signals.
#include <atomic>
#include <csignal>
#include <optional>

#include "tests/support/idiom_test.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// Lives as long as its owner likes, open or not.
class service {
 public:
  void open() { jobs_.open(); }
  bool is_open() const { return jobs_.is_open(); }
  task_handle<> add(std::string_view name, task<> job) {
    return jobs_.spawn({.name = name}, std::move(job));
  }
  scope_handle handle() const { return jobs_.handle(); }
  task<shutdown_report> close(cancel_reason reason) {
    co_return co_await jobs_.shutdown(10s, std::move(reason));
  }
  task<> finish() { co_await jobs_.close(); }

 private:
  manual_supervisor jobs_{{.name = "jobs"}};
};

class LongLivedObject : public testing_support::idiom_test {
 protected:
  service service_;
};

INSTANTIATE_TEST_SUITE_P(Workers, LongLivedObject, testing::Values(1u, 2u, 4u));

TEST_P(LongLivedObject, TakesJobsWhileItIsOpenAndOutlivesTheirFailures) {
  rt_.block_on([&]() -> task<> {
    service_.open();
    service_.add("bad", failing(1s, "disk full"));
    co_await sleep_for(2s);
    service_.add("good", sleeper("good", 1s));
    co_await service_.finish();
    note("finished");
    EXPECT_FALSE(service_.is_open());
  });
  EXPECT_THAT(journal(), ElementsAre("1s reported disk full", "3s good done", "3s finished"));
}

TEST_P(LongLivedObject, IsShutDownFromAnotherTreeWithAReasonOfItsOwn) {
  rt_.block_on([&]() -> task<> {
    service_.open();
    const task_handle<> poller = service_.add("poller", sleeper("poller", 1h));
    const task_handle<> signals = spawn([&]() -> task<> {
      co_await with_supervisor({.name = "signals"}, [&](supervisor& s) -> task<> {
        s.spawn([&]() -> task<> {
          co_await sleep_for(3s);  // SIGHUP arrives.
          const shutdown_report report = co_await service_.close("SIGHUP: new settings");
          EXPECT_EQ(report.cancelled, 1u);
          EXPECT_TRUE(report.stuck.empty());
          note("shut down");
        });
        co_return;
      });
    });
    co_await signals;  // The tree of whoever calls is not concerned.
    EXPECT_EQ(poller.status(), task_status::cancelled);
    EXPECT_EQ(poller.result().reason().message(), "SIGHUP: new settings");
  });
  EXPECT_THAT(journal(), ElementsAre("3s poller stopped: SIGHUP: new settings", "3s shut down"));
}

TEST_P(LongLivedObject, TheReasonTellsAShutdownFromACancelOfTheWholeApplication) {
  std::vector<std::string> seen;
  const auto job = [&]() -> task<> {
    const outcome<> end = co_await as_result(sleep_for(1h));
    seen.emplace_back(end.reason().message());
    co_await stop();
  };
  rt_.block_on([&]() -> task<> {
    service_.open();
    service_.add("job", job());
    co_await sleep_for(1s);
    co_await service_.close({cancel_kind::shutdown, "SIGTERM"});
    const task_handle<> application = spawn([&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        s.spawn(job);
        co_return;
      });
    });
    co_await sleep_for(1s);
    co_await cancel_and_wait(application, "the user has quit");
  });
  EXPECT_THAT(seen, ElementsAre("SIGTERM", "the user has quit"));
}

TEST_P(LongLivedObject, CanBeOpenedAgainWithNewSettings) {
  rt_.block_on([&]() -> task<> {
    const std::vector<std::string> all{"old", "new"};
    for (const std::string& settings : all) {
      service_.open();
      service_.add(settings, sleeper(settings, 1h));
      co_await sleep_for(1s);
      co_await service_.close("SIGHUP");
    }
  });
  EXPECT_THAT(journal(), ElementsAre("1s old stopped: SIGHUP", "2s new stopped: SIGHUP"));
}

TEST_P(LongLivedObject, EveryCallerOfAShutdownReturnsWhenAllIsOver) {
  rt_.block_on([&]() -> task<> {
    service_.open();
    service_.add("slow", slow_to_stop("slow", 4s));
    const auto caller = [&](duration after) -> task<> {
      co_await sleep_for(after);
      co_await service_.close("closing down");
      note("returned");
    };
    co_await gather(caller(1s), caller(2s), caller(3s));
  });
  EXPECT_THAT(journal(), ElementsAre("5s returned", "5s returned", "5s returned"));
}

TEST_P(LongLivedObject, AJobThatShutsItDownIsStoppedItself) {
  rt_.block_on([&]() -> task<> {
    service_.open();
    const auto quitting = [&]() -> task<> {
      co_await sleep_for(1s);
      co_await service_.close("a job has had enough");
      note("not reached");
    };
    const task_handle<> job = service_.add("quitter", quitting());
    service_.add("other", sleeper("other", 1h));
    const std::vector<task_handle<>> jobs(1, job);
    co_await wait(jobs);
    EXPECT_EQ(job.status(), task_status::cancelled);
    co_await service_.finish();
    note("closed");
  });
  EXPECT_THAT(journal(), ElementsAre("1s other stopped: a job has had enough", "1s closed"));
}

TEST_P(LongLivedObject, WhoeverKeepsAHandleToItAddsWorkUntilItIsClosed) {
  rt_.block_on([&]() -> task<> {
    service_.open();
    scope_handle jobs = service_.handle();
    jobs.spawn({.name = "guest"}, sleeper("guest", 1s));
    co_await sleep_for(2s);
    jobs.request_shutdown();
    co_await service_.finish();
    EXPECT_TRUE(jobs.closed());
    EXPECT_THROW(jobs.spawn(sleeper("late", 1s)), scope_closed);
    jobs.cancel("too late: a no-op");
  });
  EXPECT_THAT(journal(), ElementsAre("1s guest done"));
}

// ---- From a handler of real signals -------------------------------------------------------------

std::atomic<const scope_handle*> to_shut_down{nullptr};

extern "C" void on_signal(int /*signal*/) {
  to_shut_down.load(std::memory_order_seq_cst)->request_shutdown();
}

// SIGUSR1 shuts the scope down while this lives.
class shut_down_by_signal {
 public:
  explicit shut_down_by_signal(scope_handle scope) : scope_(std::move(scope)) {
    to_shut_down.store(&scope_, std::memory_order_seq_cst);
    before_ = std::signal(SIGUSR1, on_signal);
  }
  shut_down_by_signal(const shut_down_by_signal&) = delete;
  shut_down_by_signal& operator=(const shut_down_by_signal&) = delete;
  ~shut_down_by_signal() { std::signal(SIGUSR1, before_); }

 private:
  const scope_handle scope_;
  void (*before_)(int) = SIG_DFL;
};

TEST_P(LongLivedObject, ASignalHandlerRequestsTheShutdownAndMainGoesOn) {
  rt_.block_on([&]() -> task<> {
    service_.open();
    const shut_down_by_signal on_usr1(service_.handle());
    service_.add("poller", sleeper("poller", 1h));
    const task_handle<> signals = spawn([]() -> task<> {
      co_await sleep_for(3s);
      EXPECT_EQ(std::raise(SIGUSR1), 0);
    });
    co_await signals;
    co_await service_.finish();
    note("main goes on");
  });
  EXPECT_THAT(journal(), ElementsAre("3s poller stopped: shutdown", "3s main goes on"));
}

TEST_P(LongLivedObject, ASignalHandlerEndsASupervisorWhoseBodyWaits) {
  std::optional<shut_down_by_signal> on_usr1;  // Lives longer than the handler runs.
  rt_.block_on([&]() -> task<> {
    co_await with_supervisor({.name = "server"}, [&](supervisor& s) -> task<> {
      on_usr1.emplace(s.handle());
      s.spawn(sleeper("poller", 1h));
      spawn([]() -> task<> {
        co_await sleep_for(3s);
        EXPECT_EQ(std::raise(SIGUSR1), 0);
      });
      co_await sleep_for(1h);
      note("not reached");
    });
    note("behind the scope");
  });
  EXPECT_THAT(journal(), ElementsAre("3s poller stopped: shutdown", "3s behind the scope"));
}

TEST_P(LongLivedObject, ASecondSignalChangesNothing) {
  rt_.block_on([&]() -> task<> {
    service_.open();
    const shut_down_by_signal on_usr1(service_.handle());
    service_.add("slow", slow_to_stop("slow", 2s));
    co_await sleep_for(1s);
    EXPECT_EQ(std::raise(SIGUSR1), 0);
    EXPECT_EQ(std::raise(SIGUSR1), 0);
    co_await service_.finish();
    note("closed");
    EXPECT_EQ(std::raise(SIGUSR1), 0);
  });
  EXPECT_THAT(journal(), ElementsAre("3s closed"));
}

}  // namespace
}  // namespace coppice
