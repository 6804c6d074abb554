// Whole runtimes: two workers, each a virtual thread, and a plain one that waits for them. Too much to be searched; drawn.
#include <coppice/coppice.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/models.h"

namespace coppice {
namespace {

using coppice_model::expect_sound;
using coppice_model::model;
using coppice_model::require;

class counted_runtime : public runtime {
 public:
  using runtime::beneath;
  using runtime::runtime;
};

constexpr auto relaxed = std::memory_order_relaxed;

task<int> leaf(int value) {
  co_return value;
}

task<int> branch() {
  auto [left, right] = co_await gather(leaf(1), leaf(2));
  co_return left + right;
}

// A fork of forks, of which the other worker steals what it can.
void forking(runtime& on) {
  const int sum = on.block_on([]() -> task<int> {
    auto [left, right] = co_await gather(branch(), branch());
    co_return left + right;
  });
  require(sum == 6, "a fork is joined before its children have ended");
}

// One fails, the other waits for what never comes.
void failing(runtime& on) {
  bool thrown = false;
  on.block_on([&thrown]() -> task<> {
    event never;
    const auto wait = [&never]() -> task<> { co_await never.wait(); };
    const auto fail = []() -> task<> {
      co_await yield();
      throw std::runtime_error("on purpose");
    };
    const auto children = [&](task_group& group) -> task<> {
      group.spawn(wait);
      group.spawn(fail);
      co_return;
    };
    try {
      co_await with_group(children);
    } catch (const exception_group& failures) {
      thrown = failures.leaves().size() == 1;
    }
  });
  require(thrown, "a failure is lost, or comes twice");
}

// An event that is set, and a scope that is cancelled, by two others at once.
void racing(runtime& on) {
  int ends = 0;
  on.block_on([&ends]() -> task<> {
    event happens;
    const auto wait = [&]() -> task<> {
      co_await happens.wait();
      ++ends;
    };
    const auto set = [&happens]() -> task<> {
      happens.set();
      co_return;
    };
    const auto children = [&](task_group& group) -> task<> {
      task_handle<> waiting = group.spawn(wait);
      group.spawn(set);
      waiting.cancel();
      co_return;
    };
    co_await with_group(children);
  });
  require(ends <= 1, "a wait ends twice");
}

// What a plain thread spawns while all workers may be asleep.
void submitting(runtime& on) {
  detail::atomic<int> ran{0};
  {
    const auto run = [&ran]() -> task<> {
      ran.fetch_add(1, relaxed);
      co_return;
    };
    const std::jthread plain([&] {
      on.block_on(run);
      on.block_on(run);
    });
    on.block_on(run);
  }
  require(ran.load(relaxed) == 3, "what was spawned has not run");
}

model of(const char* name, void (*program)(runtime&)) {
  coppice_model::exploration how;
  how.most_searched = 0;
  how.drawn = static_cast<std::size_t>(testing_support::rounds(1'000, 30));
  how.of_each.steps = 200'000;
  const auto run = [program] {
    counted_runtime on({.threads = 2});
    program(on);
    on.shutdown();
    const task_counts counts = on.beneath().counts();
    require(counts.spawned == counts.completed + counts.failed + counts.cancelled,
            "a task is not accounted for");
  };
  return {std::string("runtime: ") + name, run, how};
}

TEST(RuntimeModel, JoinsAForkWhenAllItsChildrenHaveEnded) {
  expect_sound(of("forking", forking));
}

TEST(RuntimeModel, LosesNoFailure) {
  expect_sound(of("failing", failing));
}

TEST(RuntimeModel, EndsAWaitOnce) {
  expect_sound(of("racing", racing));
}

TEST(RuntimeModel, RunsWhatIsSubmitted) {
  expect_sound(of("submitting", submitting));
}

}  // namespace
}  // namespace coppice
