// The traps of polls, tokens and dumps, each with the rule that keeps out of it.
#include <coppice/detail/scope_core.h>
#include <coppice/dump.h>
#include <coppice/runtime.h>
#include <coppice/scope.h>
#include <coppice/testing.h>
#include <coppice/time.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/open_nodes.h"
#include "tests/support/source_files.h"

namespace coppice {
namespace {

using testing_support::on_worker;
using testing_support::open_branch;
using testing_support::open_strand;

constexpr unsigned worker_counts[] = {1, 2, 4};

task<> sleeping_for_ever() {
  co_await sleep_for(forever);
}

// Rule: the epoch is read before the walk up, so that a request that comes behind the look, and before the answer is kept,
// is seen at the next look.
TEST(Traps, APollDoesNotKeepAnAnswerThatIsOlderThanItsEpoch) {
  runtime rt({.threads = 1});
  on_worker(rt, [](detail::worker_core& here) {
    open_branch scope;
    open_strand shield(&scope, here.now());
    shield.shield_from_above(true, here.home);
    open_strand below(&shield, detail::epoch{0});
    bool asked = false;
    shield.when_kept_out = [&] {
      if (!std::exchange(asked, true)) {
        shield.request(here.home);
      }
    };
    EXPECT_FALSE(below.cancelled_at(here.now()));
    EXPECT_TRUE(asked);
    EXPECT_TRUE(below.cancelled_at(here.now()));
    scope.close(&here);
  });
}

// Rule: both answers are kept, at every node, until the epoch of this very runtime moves.
TEST(Traps, PollsAskOnceForEachRequestOfTheirOwnRuntimeWhateverTheAnswer) {
  runtime other({.threads = 1});
  runtime rt({.threads = 1});
  on_worker(rt, [&](detail::worker_core& here) {
    open_branch scope;
    open_strand below(&scope, detail::epoch{0});
    const auto look_often = [&](bool expected) {
      below.polls = 0;
      for (int i = 0; i != 1'000; ++i) {
        EXPECT_EQ(below.cancelled_at(here.now()), expected);
      }
      return below.polls;
    };
    EXPECT_EQ(look_often(false), 1);
    EXPECT_EQ(look_often(false), 0);
    const task_handle<> elsewhere = other.spawn([]() -> task<> { co_await sleep_for(forever); });
    elsewhere.cancel();
    EXPECT_EQ(look_often(false), 0) << "a request in another runtime";
    here.home.bump_epoch();
    EXPECT_EQ(look_often(false), 1) << "one beside it";
    scope.request(here.home);
    EXPECT_EQ(look_often(true), 1);
    here.home.bump_epoch();
    EXPECT_EQ(look_often(true), 1);
    EXPECT_EQ(look_often(true), 0);
    scope.close(&here);
  });
}

// Rule: a token has a counted block of its own. One of a scope whose ancestors have gone is asked while other scopes come
// and go where they were.
TEST(Traps, AForeignTokenDoesNotLookAtAncestorsThatHaveGone) {
  for (const unsigned workers : worker_counts) {
    std::atomic<bool> over{false};
    std::vector<cancel_token> kept;
    std::atomic<std::size_t> handed{0};
    constexpr std::size_t count = 500;
    kept.resize(count);
    runtime rt({.threads = workers});
    std::jthread asking([&] {
      while (!over) {
        for (std::size_t i = handed.load(std::memory_order_acquire); i-- != 0;) {
          static_cast<void>(kept[i].stop_requested());
        }
      }
    });
    rt.block_on([&]() -> task<> {
      for (std::size_t i = 0; i != count; ++i) {
        const auto inner = [&](cancel_scope& scope) -> task<> {
          kept[i] = scope.token();
          handed.store(i + 1, std::memory_order_release);
          co_return;
        };
        co_await with_scope([&](cancel_scope& outer) -> task<> {
          if (i % 2 == 0) {
            outer.cancel("even");
          }
          co_await with_scope(inner);
        });
      }
    });
    over = true;
    asking.join();
    for (std::size_t i = 0; i != count; ++i) {
      EXPECT_EQ(kept[i].stop_requested(), i % 2 == 0) << i;
    }
  }
}

// The same rule, at the moment of the exit: a canceller has set the flag, and not yet moved the epoch. What the host has
// seen, the token shows for ever.
TEST(Traps, ATokenKeepsARequestThatItsHostSawBeforeTheEpochMoved) {
  runtime rt({.threads = 1});
  cancel_token kept;
  on_worker(rt, [&](detail::worker_core& here) {
    const detail::core_ref core(new detail::strand_scope("core", {}, here));
    kept = core->token();
    EXPECT_FALSE(kept.stop_requested());
    EXPECT_FALSE(core->node().cancelled_at(here.now())) << "and that is kept for this epoch";
    EXPECT_TRUE(core->node().request());
    EXPECT_TRUE(core->cancelled());
    EXPECT_TRUE(core->leave_last());
    core->close(here);
  });
  EXPECT_TRUE(kept.stop_requested());
}

// Rule: what a dump tells lies in the outcome cell, which the entry keeps, and not in a frame.
TEST(Traps, WhatADumpToldOutlivesTheFramesItSpokeOf) {
  std::vector<task_info> told;
  test_runtime rt;
  rt.block_on([&]() -> task<> {
    {
      const std::string name = "a name that is too long to lie in the object itself";
      const task_handle<> gone = spawn({.name = name}, sleeping_for_ever);
      co_await wait_all_tasks_blocked();
      told = all_tasks();
      gone.cancel();
      co_await wait_all_tasks_blocked();
      EXPECT_TRUE(gone.done());
    }
    EXPECT_EQ(all_tasks().size() + 1, told.size());
  });
  const task_info& last = told.back();
  EXPECT_EQ(last.name, "a name that is too long to lie in the object itself");
  EXPECT_EQ(last.task.name(), last.name);
  EXPECT_EQ(last.status, task_status::suspended);
  EXPECT_EQ(last.task.status(), task_status::cancelled);
  EXPECT_EQ(last.waiting_for, "sleep_for");
}

// Rule: the guards of inline headers are always compiled in. A user's program may have been built with other flags than
// the library.
TEST(Traps, GuardsInHeadersDoNotDependOnHowAProgramIsBuilt) {
  const std::regex depends(R"(\bNDEBUG\b|\bassert\s*\(|__OPTIMIZE__|_GLIBCXX_ASSERTIONS)");
  std::size_t headers = 0;
  for (const testing_support::source_file& file :
       testing_support::files_under({"executor", "supervision"})) {
    if (file.is_header()) {
      ++headers;
      std::smatch found;
      EXPECT_FALSE(std::regex_search(file.code, found, depends))
          << file.path << " has " << found.str();
    }
  }
  EXPECT_GT(headers, 50u);
}

}  // namespace
}  // namespace coppice
