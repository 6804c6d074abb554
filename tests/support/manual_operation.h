// An operation whose end the test decides, and what tests of waiting tasks need beside it.
#pragma once

#include <coppice/awaiter.h>
#include <coppice/task.h>

#include <functional>
#include <future>
#include <thread>
#include <utility>

namespace coppice::testing_support {

// Counts what is done to it.
struct manual_operation {
  using value_type = int;

  void start(completion<int> given) {
    ++starts;
    done = given;
    started.set_value(std::move(given));
  }

  void cancel() noexcept {
    ++cancels;
    if (on_cancel) {
      on_cancel();
    }
  }

  // Blocks until it has been started.
  completion<int> completion_when_started() { return started.get_future().get(); }

  completion<int> done;
  std::promise<completion<int>> started;
  std::function<void()> on_cancel;
  int starts = 0;
  int cancels = 0;
};

inline task<int> performing(manual_operation& operation) {
  co_return co_await perform(operation);
}

inline void wait_until_suspended(const task_ref& waiting) {
  while (waiting.status() != task_status::suspended) {
    std::this_thread::yield();
  }
}

}  // namespace coppice::testing_support
