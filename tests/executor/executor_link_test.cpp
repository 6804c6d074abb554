#include <coppice/detail/executor_link.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/bare_wait.h"
#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::bare_wait;
using testing_support::rounds;

TEST(ExecutorLink, LeadsToItsExecutorWhileThatLives) {
  bare_wait wake;
  executor_ref to;
  const std::size_t before = executor_link::open_links();
  {
    executor on({.threads = 1});
    EXPECT_EQ(executor_link::open_links(), before + 1);
    to = on.state().core->ref();
    const executor_pin pin(to);
    ASSERT_EQ(pin.get(), on.state().core.get());
    pin.get()->post(wake);
    wake.await_done();
  }
  EXPECT_EQ(executor_link::open_links(), before);
  EXPECT_EQ(executor_pin(to).get(), nullptr);
}

TEST(ExecutorLink, DoesNotLeadToTheExecutorThatUsesItNext) {
  auto first = std::make_unique<executor>(options{.threads = 1});
  const executor_ref to = first->state().core->ref();
  first.reset();
  const executor second({.threads = 1});
  EXPECT_EQ(second.state().core->ref().link, to.link) << "links are used again";
  EXPECT_EQ(executor_pin(to).get(), nullptr);
}

TEST(ExecutorLink, ItsCountOfCancelsNeverGoesBack) {
  epoch last = 0;
  executor_link* link = nullptr;
  for (int i = 0; i != 3; ++i) {
    const executor on({.threads = 1});
    on.state().core->bump_epoch();
    if (link == on.state().core->ref().link) {
      EXPECT_GT(link->cancels.load(), last);
    }
    link = on.state().core->ref().link;
    last = link->cancels.load();
  }
}

// EL1: who holds a pin finds the executor whole, whatever the moment at which it ends.
TEST(ExecutorLink, AnExecutorWaitsForWhoHasPinnedIt) {
  for (long round = rounds(20'000, 100); round != 0; --round) {
    bare_wait wakes[2];
    std::atomic<int> posted{0};
    auto on = std::make_unique<executor>(options{.threads = 1});
    const executor_ref to = on->state().core->ref();
    std::vector<std::jthread> threads;
    for (bare_wait& each : wakes) {
      threads.emplace_back([&] {
        const executor_pin pin(to);
        if (pin.get() != nullptr) {
          pin.get()->post(each);
          ++posted;
        }
      });
    }
    on.reset();
    threads.clear();
    EXPECT_EQ(wakes[0].done + wakes[1].done, posted);
  }
}

}  // namespace
}  // namespace coppice::detail
