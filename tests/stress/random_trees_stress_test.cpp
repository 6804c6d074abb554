// Random trees of groups, supervisors, failures, cancels, shields and timeouts against a model.
#include <coppice/group.h>
#include <coppice/shield.h>
#include <coppice/spawn.h>
#include <coppice/supervisor.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/load.h"
#include "tests/support/tree_model.h"
#include "tests/support/tree_program.h"

namespace coppice {
namespace {

using testing_support::failure_text;
using testing_support::group_text;
using testing_support::next_slot;
using testing_support::rounds;
using testing_support::scope_kind;
using testing_support::step_kind;
using testing_support::tree_generator;
using testing_support::tree_history;
using testing_support::tree_model;
using testing_support::tree_program;
using testing_support::tree_step;

// One unit of the model's time. Short, so that no grace of a supervisor passes.
constexpr duration unit = std::chrono::microseconds(1);

std::string text_of(const error_entry& entry) {
  if (const auto* group = entry.get_if<exception_group>()) {
    std::vector<std::string> leaves;
    for (const error_entry& each : group->exceptions()) {
      leaves.push_back(text_of(each));
    }
    return group_text(leaves);
  }
  return entry.get_if<timeout_error>() != nullptr ? "timeout" : entry.message();
}

// Runs a program with the library. Outlives the runtime.
class tree_run {
 public:
  explicit tree_run(const tree_program& program)
      : program_(program),
        scopes_(static_cast<std::size_t>(program.scopes)),
        tasks_(static_cast<std::size_t>(program.tasks)) {}

  tree_history run(unsigned workers, unsigned seed) {
    test_runtime rt{{.workers = workers, .seed = seed}};
    rt.set_error_handler([this](const error_report& report) { note_handled(-1, report); });
    rt.block_on([this]() -> task<> {
      start_ = now();
      co_await run_body(program_.body, {});
      history_.end = elapsed();
    });
    EXPECT_EQ(rt.live_frames(), 0u);
    for (std::size_t i = 0; i != tasks_.size(); ++i) {
      if (tasks_[i]) {
        note_end(static_cast<int>(i));
      }
    }
    tasks_.clear();
    scopes_.clear();
    return std::move(history_);
  }

 private:
  // Where spawn adds to.
  struct target {
    task_group* group = nullptr;
    supervisor* keeper = nullptr;
  };

  long elapsed() const { return static_cast<long>((now() - start_) / unit); }

  long slot(int residue) const { return next_slot(elapsed(), residue, program_.modulus); }

  std::optional<duration> timeout_of(const tree_step& step) const {
    if (step.deadline == 0) {
      return std::nullopt;
    }
    return (slot(step.deadline) - elapsed()) * unit;
  }

  task<> run_body(const std::vector<tree_step>& steps, target into) {
    for (const tree_step& step : steps) {
      switch (step.kind) {
        case step_kind::sleep:
          co_await sleep_until(start_ + slot(step.id) * unit);
          note_wake(step.id);
          break;
        case step_kind::spawn:
          spawn_child(step, into);
          break;
        case step_kind::open:
          co_await open(step, into);
          break;
        case step_kind::cancel_scope:
          cancel_scope_of(step.id);
          break;
        case step_kind::cancel_task:
          cancel_task(step.id);
          break;
        case step_kind::fail:
          throw std::runtime_error(failure_text(step.id));
      }
    }
  }

  void spawn_child(const tree_step& step, target into) {
    const spawn_options how{.timeout = timeout_of(step)};
    const task_handle<> handle = into.group != nullptr
                                     ? into.group->spawn(how, run_body(step.inner, into))
                                     : into.keeper->spawn(how, run_body(step.inner, into));
    const std::lock_guard lock(mutex_);
    tasks_[static_cast<std::size_t>(step.id)] = handle;
  }

  // Failures are caught in the two ways there are.
  task<> open(const tree_step& step, target into) {
    std::string caught;
    if (!step.caught) {
      co_await enter(step, into);
    } else if (step.id % 2 == 0) {
      const outcome<> end = co_await as_result(enter(step, into));
      if (end.cancelled()) {
        co_await stop();
      }
      if (end.failed()) {
        caught = text_of(end.entry());
      }
    } else {
      try {
        co_await enter(step, into);
      } catch (...) {
        caught = text_of(error_entry(std::current_exception()));
      }
    }
    if (!caught.empty()) {
      const std::lock_guard lock(mutex_);
      history_.caught[step.id] = caught;
    }
  }

  task<> enter(const tree_step& step, target into) {
    const auto in_scope = [&](cancel_scope& scope) -> task<> {
      keep(step.id, scope);
      co_await run_body(step.inner, into);
    };
    const auto in_group = [&](task_group& group) -> task<> {
      keep(step.id, group);
      co_await run_body(step.inner, {.group = &group});
    };
    const auto in_supervisor = [&](supervisor& keeper) -> task<> {
      const int id = step.id;
      keeper.on_error([this, id](const error_report& report) { note_handled(id, report); });
      keep(step.id, keeper);
      co_await run_body(step.inner, {.keeper = &keeper});
    };
    switch (step.scope) {
      case scope_kind::group:
        co_await with_group({.timeout = timeout_of(step)}, in_group);
        break;
      case scope_kind::collecting_group:
        co_await with_group(
            {.on_failure = on_child_failure::collect_all, .timeout = timeout_of(step)}, in_group);
        break;
      case scope_kind::supervisor:
        co_await with_supervisor(in_supervisor);
        break;
      case scope_kind::plain:
        co_await with_scope({.timeout = timeout_of(step)}, in_scope);
        break;
      case scope_kind::timed:
        co_await with_timeout(*timeout_of(step), in_scope);
        break;
      case scope_kind::shield:
        co_await shield(in_scope);
        break;
    }
  }

  void keep(int id, const cancel_scope& scope) {
    const std::lock_guard lock(mutex_);
    scopes_[static_cast<std::size_t>(id)] = scope.handle();
  }

  void cancel_scope_of(int id) {
    const std::lock_guard lock(mutex_);
    if (const scope_handle& scope = scopes_[static_cast<std::size_t>(id)]) {
      scope.cancel();
    }
  }

  void cancel_task(int id) {
    const std::lock_guard lock(mutex_);
    if (const task_handle<>& named = tasks_[static_cast<std::size_t>(id)]) {
      named.cancel();
    }
  }

  void note_wake(int id) {
    const std::lock_guard lock(mutex_);
    history_.wakes[id] = elapsed();
  }

  void note_handled(int supervisor_id, const error_report& report) {
    const std::lock_guard lock(mutex_);
    history_.handled.emplace(supervisor_id, text_of(report.entry));
  }

  void note_end(int id) {
    const outcome<>& end = tasks_[static_cast<std::size_t>(id)].result();
    history_.tasks[id] = {end.status(), end.failed() ? text_of(end.entry()) : ""};
  }

  const tree_program& program_;
  time_point start_{};
  std::mutex mutex_;
  tree_history history_;
  std::vector<scope_handle> scopes_;
  std::vector<task_handle<>> tasks_;
};

// TREE_SEED, a variable of the environment, repeats one program.
std::optional<unsigned> given_seed() {
  const char* text = std::getenv("TREE_SEED");
  if (text == nullptr) {
    return std::nullopt;
  }
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

void print(const char* whose, const tree_history& history) {
  std::printf("%s: ended at %ld, %zu wakes, caught:", whose, history.end, history.wakes.size());
  for (const auto& [scope, text] : history.caught) {
    std::printf(" %d=%s", scope, text.c_str());
  }
  std::printf("\n  handled:");
  for (const auto& [scope, text] : history.handled) {
    std::printf(" %d=%s", scope, text.c_str());
  }
  std::printf("\n  tasks:");
  for (const auto& [id, end] : history.tasks) {
    std::printf(" %d=%s%s", id, std::string(to_string(end.first)).c_str(), end.second.c_str());
  }
  std::printf("\n  wakes:");
  for (const auto& [id, when] : history.wakes) {
    std::printf(" %d@%ld", id, when);
  }
  std::printf("\n");
}

bool agrees(unsigned seed, unsigned workers) {
  const tree_program program = tree_generator(seed).make();
  const tree_history expected = tree_model(program).run();
  tree_run library(program);
  const tree_history seen = library.run(workers, seed);
  EXPECT_EQ(seen.end, expected.end);
  EXPECT_EQ(seen.wakes, expected.wakes);
  EXPECT_EQ(seen.tasks, expected.tasks);
  EXPECT_EQ(seen.caught, expected.caught);
  EXPECT_EQ(seen.handled, expected.handled);
  if (seen == expected) {
    return true;
  }
  std::printf("TREE_SEED=%u with %u workers\n", seed, workers);
  print("model", expected);
  print("library", seen);
  return false;
}

class RandomTrees : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, RandomTrees, testing::Values(1u, 2u, 4u));

TEST_P(RandomTrees, EndAsTheModelSays) {
  if (const std::optional<unsigned> given = given_seed()) {
    EXPECT_TRUE(agrees(*given, GetParam()));
    return;
  }
  std::random_device source;
  const long n = rounds(100'000);
  for (long i = 0; i != n; ++i) {
    if (!agrees(source(), GetParam())) {
      break;  // One is enough to look at.
    }
  }
}

// A model that says the same of every program would agree with anything.
TEST(TreeModel, MeetsAllEndsThereAre) {
  tree_history all;
  std::size_t completed = 0;
  std::size_t failed = 0;
  std::size_t cancelled = 0;
  std::size_t nested = 0;
  std::size_t timeouts = 0;
  for (unsigned seed = 1; seed != 2'000; ++seed) {
    const tree_program program = tree_generator(seed).make();
    const tree_history history = tree_model(program).run();
    for (const auto& [id, end] : history.tasks) {
      completed += end.first == task_status::completed ? 1 : 0;
      failed += end.first == task_status::failed ? 1 : 0;
      cancelled += end.first == task_status::cancelled ? 1 : 0;
    }
    for (const auto& [scope, text] : history.caught) {
      nested += text.starts_with("{{") ? 1 : 0;
      timeouts += text.find("timeout") != std::string::npos ? 1 : 0;
    }
    all.handled.insert(history.handled.begin(), history.handled.end());
  }
  EXPECT_GT(completed, 100u);
  EXPECT_GT(failed, 100u);
  EXPECT_GT(cancelled, 100u);
  EXPECT_GT(nested, 10u);
  EXPECT_GT(timeouts, 100u);
  EXPECT_GT(all.handled.size(), 10u);
}

}  // namespace
}  // namespace coppice
