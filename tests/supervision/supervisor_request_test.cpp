// request_shutdown() of a supervisor, also by threads and signals, cancel_host(), and races with spawn.
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/small_tasks.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::rounds;
using testing_support::sleeper;

class SupervisorRequest : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, SupervisorRequest, testing::Values(1u, 2u, 4u));

// ---- request_shutdown ---------------------------------------------------------------------------

TEST_P(SupervisorRequest, StartsTheShutdownAndReturns) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    bool returned = false;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      child = s.spawn(sleeper(1h));
      s.request_shutdown();
      s.request_shutdown();
      returned = true;
      co_await sleep_for(1h);
      ADD_FAILURE() << "the body goes on";
    });
    EXPECT_TRUE(returned);
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(child.result().reason().kind(), cancel_kind::shutdown);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST_P(SupervisorRequest, DrainsAsTheOptionsSay) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> quick;
    task_handle<> slow;
    co_await with_supervisor({.drain = 2s}, [&](supervisor& s) -> task<> {
      quick = s.spawn(sleeper(1s));
      slow = s.spawn(sleeper(1h));
      s.request_shutdown();
      co_await sleep_for(1h);
    });
    EXPECT_EQ(quick.status(), task_status::completed);
    EXPECT_EQ(slow.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 2s);
  });
}

TEST_P(SupervisorRequest, IsJoinedByThoseWhoAwaitTheShutdown) {
  supervisor* jobs = nullptr;
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const task_handle<> host = spawn([&]() -> task<> {
      co_await with_supervisor({.drain = 5s}, [&](supervisor& s) -> task<> {
        jobs = &s;
        s.spawn(sleeper(3s));
        co_await sleep_for(1h);
      });
    });
    co_await wait_all_tasks_blocked();
    jobs->request_shutdown();
    const shutdown_report report = co_await jobs->shutdown();
    EXPECT_EQ(report.finished, 1u);
    EXPECT_EQ(test_clock().elapsed(), 3s);
    co_await host;
  });
}

TEST_P(SupervisorRequest, ComesFromAChild) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      child = s.spawn([&]() -> task<> {
        s.request_shutdown();
        co_await checkpoint();
        ADD_FAILURE() << "it is below the supervisor";
      });
      co_await sleep_for(1h);
    });
    EXPECT_EQ(child.status(), task_status::cancelled);
    EXPECT_EQ(test_clock().elapsed(), 0s);
  });
}

TEST(SupervisorRequestForeign, ComesFromManyThreadsAtOnce) {
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    for (long round = rounds(5'000, 50); round != 0; --round) {
      std::vector<std::jthread> threads;
      co_await with_supervisor([&](supervisor& s) -> task<> {
        for (int i = 0; i != 10; ++i) {
          s.spawn(sleeper(1h));
        }
        for (int i = 0; i != 3; ++i) {
          threads.emplace_back([handle = s.handle()] { handle.request_shutdown(); });
        }
        co_await sleep_for(1h);
        ADD_FAILURE() << "the body goes on";
      });
    }
  });
}

std::atomic<scope_handle*> signalled{nullptr};  // Lock-free: a handler reads it.

class SupervisorSignal : public testing::Test {
 protected:
  void SetUp() override {
    struct sigaction action = {};
    action.sa_handler = [](int) { signalled.load()->request_shutdown(); };
    ::sigaction(SIGUSR1, &action, &before_);
  }
  void TearDown() override { ::sigaction(SIGUSR1, &before_, nullptr); }

 private:
  struct sigaction before_ = {};
};

TEST_F(SupervisorSignal, A15RequestsItsShutdownOnAWorker) {
  for (int i = 0; i != 20; ++i) {
    scope_handle handle;
    runtime rt({.threads = 2});
    rt.block_on([&]() -> task<> {
      task_handle<> child;
      co_await with_supervisor([&](supervisor& s) -> task<> {
        handle = s.handle();
        signalled = &handle;
        child = s.spawn(sleeper(1h));
        spawn([] { ::kill(::getpid(), SIGUSR1); });  // In another tree.
        co_await sleep_for(1h);
        ADD_FAILURE() << "the body goes on";
      });
      EXPECT_EQ(child.status(), task_status::cancelled);
      EXPECT_EQ(child.result().reason().kind(), cancel_kind::shutdown);
    });
    handle = scope_handle();
  }
}

TEST_F(SupervisorSignal, A15RequestsItsShutdownOnAPlainThread) {
  scope_handle handle;
  std::jthread raising;
  runtime rt({.threads = 1});
  rt.block_on([&]() -> task<> {
    co_await with_supervisor([&](supervisor& s) -> task<> {
      handle = s.handle();
      signalled = &handle;
      raising = std::jthread([] { std::raise(SIGUSR1); });
      co_await sleep_for(1h);
      ADD_FAILURE() << "the body goes on";
    });
    EXPECT_TRUE(handle.closed());
  });
  raising.join();
  std::raise(SIGUSR1);  // Too late, so it does nothing.
  handle = scope_handle();
}

// ---- cancel_host --------------------------------------------------------------------------------

TEST_P(SupervisorRequest, CancelHostStopsTheHostBehindTheScope) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    task_handle<> child;
    const auto hosting = [&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        child = s.spawn(sleeper(1h));
        co_await sleep_for(1s);
        s.cancel_host("leave");
        co_await sleep_for(1h);
        ADD_FAILURE() << "the body goes on";
      });
      ADD_FAILURE() << "the host goes on";
    };
    const task_handle<> host = spawn(hosting);
    EXPECT_THROW(co_await host, task_cancelled);
    EXPECT_EQ(host.status(), task_status::cancelled);
    EXPECT_EQ(host.result().reason().message(), "leave");
    EXPECT_EQ(child.result().reason().message(), "leave");
    EXPECT_EQ(test_clock().elapsed(), 1s);
  });
}

TEST_P(SupervisorRequest, CancelHostWaitsForTheChildrenFirst) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    supervisor* jobs = nullptr;
    task_handle<> slow;
    const task_handle<> host = spawn([&]() -> task<> {
      co_await with_supervisor([&](supervisor& s) -> task<> {
        jobs = &s;
        slow = s.spawn(testing_support::shielded_sleeper(4s));
        co_await sleep_for(1h);
      });
    });
    co_await wait_all_tasks_blocked();
    jobs->cancel_host();
    EXPECT_THROW(co_await host, task_cancelled);
    EXPECT_TRUE(slow.done());
    EXPECT_EQ(test_clock().elapsed(), 4s);
  });
}

TEST_P(SupervisorRequest, CancelHostIsAStopAndNoException) {
  test_runtime rt{{.workers = GetParam()}};
  rt.block_on([&]() -> task<> {
    const auto body = [](supervisor& s) -> task<int> {
      s.cancel_host("leave");
      co_await checkpoint();
      co_return 1;
    };
    const auto hosting = [&]() -> task<> {
      try {
        (void)co_await with_supervisor(body);
        ADD_FAILURE() << "the host goes on";
      } catch (...) {
        ADD_FAILURE() << "the host catches";
        throw;
      }
    };
    const task_handle<> host = spawn(hosting);
    EXPECT_THROW(co_await host, task_cancelled);
    EXPECT_EQ(host.status(), task_status::cancelled);
  });
}

TEST_P(SupervisorRequest, CancelHostOfTheMainTaskCancelsBlockOn) {
  test_runtime rt{{.workers = GetParam()}};
  EXPECT_THROW(rt.block_on([]() -> task<> {
    co_await with_supervisor([](supervisor& s) -> task<> {
      s.spawn([&]() -> task<> {
        s.cancel_host("leave");
        co_return;
      });
      co_await sleep_for(1h);
    });
    ADD_FAILURE() << "the host goes on";
  }),
               task_cancelled);
}

// ---- Races --------------------------------------------------------------------------------------

TEST(SupervisorRequestForeign, RacesWithSpawnAndLosesNoChild) {
  runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    for (long round = rounds(5'000, 50); round != 0; --round) {
      std::atomic<int> accepted{0};
      std::vector<task_handle<>> children;
      std::jthread spawning;
      co_await with_supervisor([&](supervisor& s) -> task<> {
        spawning = std::jthread([&, handle = s.handle()]() mutable {
          while (auto child = handle.try_spawn(sleeper(1h))) {
            children.push_back(*std::move(child));
            accepted.fetch_add(1);
          }
        });
        while (accepted.load() == 0) {
          co_await yield();
        }
        co_await s.shutdown();
      });
      spawning.join();
      for (const task_handle<>& each : children) {
        EXPECT_EQ(each.status(), task_status::cancelled);
      }
    }
  });
}

}  // namespace
}  // namespace coppice
