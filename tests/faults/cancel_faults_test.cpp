// Cancel when there is no memory: it asks for none, and everybody ends.
#include <coppice/group.h>
#include <coppice/supervisor.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/support/tree_faults.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using testing_support::accounted_runtime;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;
using testing_support::sleeping_for_ever;

class CancelTakesNoMemory : public testing_support::tree_without_memory {};

enum class canceller { worker, plain_thread };
enum class request { cancel, cancel_by_handle, shutdown };

class CancelWithoutMemory : public testing_support::tree_without_memory,
                            public testing::WithParamInterface<std::tuple<canceller, request>> {};

// A thousand sleep; from the request on nobody gets any memory, until all have ended and the scope with them.
TEST_P(CancelWithoutMemory, AllocatesNothingAndEveryChildIsStopped) {
  const auto [from, how] = GetParam();
  constexpr std::size_t count = 1'000;
  std::atomic<bool> go{false};
  std::atomic<bool> asked{false};
  std::size_t allocated = 0;
  std::vector<task_handle<>> children;
  scope_handle handle;
  const cancel_reason reason(cancel_kind::requested);
  accounted_runtime rt({.threads = 2});
  const auto ask = [&, what = how](supervisor* scope) {
    const std::size_t before = testing_support::thread_allocations();
    if (what == request::shutdown) {
      scope != nullptr ? scope->request_shutdown() : handle.request_shutdown();
    } else if (what == request::cancel_by_handle || scope == nullptr) {
      handle.cancel(reason);
    } else {
      scope->cancel(reason);
    }
    allocated = testing_support::thread_allocations() - before;
    asked = true;
  };
  std::jthread thread;
  if (from == canceller::plain_thread) {
    thread = std::jthread([&] {
      while (!go) {
        std::this_thread::yield();
      }
      ask(nullptr);
    });
  }
  const bool by_thread = from == canceller::plain_thread;
  rt.block_on([&]() -> task<> {
    std::unique_ptr<fail_allocation_at> no_memory;
    co_await with_supervisor([&](supervisor& s) -> task<> {
      handle = s.handle();
      for (std::size_t i = 0; i != count; ++i) {
        children.push_back(s.spawn(sleeping_for_ever()));
      }
      for (const task_handle<>& each : children) {
        while (each.status() != task_status::suspended) {
          co_await yield();
        }
      }
      no_memory = std::make_unique<fail_allocation_at>(1, failing_threads::all,
                                                       failing_times::from_there_on);
      if (by_thread) {
        go = true;
      } else {
        ask(&s);
      }
      for (;;) {
        co_await yield();
      }
    });
    no_memory->stop();
  });
  thread = {};
  EXPECT_TRUE(asked.load());
  EXPECT_EQ(allocated, 0u);
  for (const task_handle<>& each : children) {
    EXPECT_EQ(each.status(), task_status::cancelled);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, CancelWithoutMemory,
    testing::Combine(testing::Values(canceller::worker, canceller::plain_thread),
                     testing::Values(request::cancel, request::cancel_by_handle,
                                     request::shutdown)));

TEST_F(CancelTakesNoMemory, AFailureCancelsItsSiblingsWithoutAny) {
  std::vector<task_handle<>> children;
  accounted_runtime rt({.threads = 2});
  rt.block_on([&]() -> task<> {
    std::exception_ptr error;
    try {
      co_await with_group([&](task_group& g) -> task<> {
        for (int i = 0; i != 1'000; ++i) {
          children.push_back(g.spawn(sleeping_for_ever()));
        }
        for (const task_handle<>& each : children) {
          while (each.status() != task_status::suspended) {
            co_await yield();
          }
        }
        const fail_allocation_at no_memory(1, failing_threads::all, failing_times::from_there_on);
        throw 0;
      });
      ADD_FAILURE() << "it failed";
    } catch (...) {
      error = std::current_exception();
    }
  });
  for (const task_handle<>& each : children) {
    EXPECT_EQ(each.status(), task_status::cancelled);
  }
}

}  // namespace
}  // namespace coppice
