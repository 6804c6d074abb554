// Nodes below nodes: what a request at one level reaches, and what it leaves alone.
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/suspension.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/load.h"

namespace coppice::detail {
namespace {

using testing_support::rounds;

// A branch, or a strand, that can be asked and shielded from outside.
template <class Node>
class open_node final : public Node {
 public:
  using Node::Node;

  bool request(executor_core& home) noexcept {
    const bool first = this->state_.request();
    home.bump_epoch();
    return first;
  }
  void shield(bool on, executor_core& home) noexcept {
    this->state_.shield(on);
    home.bump_epoch();
  }
  bool linked() const noexcept { return this->state_.linked(); }
};

using branch = open_node<branch_node>;
using strand = open_node<strand_node>;

class stub_wait : public suspension, job {
 public:
  stub_wait() {
    run = [](job& self, worker_core&) noexcept { ++static_cast<stub_wait&>(self).resumed; };
  }

  // As a wait does it. True if it went to sleep.
  bool begin_below(cancel_node& node, worker_core& here) {
    begin(*this, &node, here.home, [](suspension& self, worker_core&) noexcept {
      ++static_cast<stub_wait&>(self).stopped;
      return std::coroutine_handle<>(std::noop_coroutine());
    });
    scope = &node;
    const epoch seen = here.now();
    if (node.cancelled_at(seen)) {
      return false;
    }
    at = &node.enroll(here, "something");
    generation = at->arm(*this);
    return publish(here, *at, generation, seen) == end_of_suspending::asleep;
  }

  void end(worker_core& here) noexcept {
    if (at != nullptr) {
      scope->withdraw(*std::exchange(at, nullptr), here);
    }
  }

  cancel_node* scope = nullptr;
  std::uint64_t generation = 0;
  int resumed = 0;
  int stopped = 0;
};

class NodeTree : public testing::Test {
 protected:
  template <class Body>
  void on_worker(const Body& body) {
    on_.block_on([&] { body(*this_worker()); });
  }

  executor on_{options{.threads = 1}};
};

TEST_F(NodeTree, AnOpenBranchIsNotLinkedUntilSomethingWaitsBelow) {
  on_worker([&](worker_core& here) {
    branch root;
    branch below(&root, here.now());
    EXPECT_FALSE(below.linked());
    stub_wait waiting;
    EXPECT_TRUE(waiting.begin_below(below, here));
    EXPECT_TRUE(below.linked());
    EXPECT_TRUE(waiting.at->claim_suspended(waiting.generation));
    waiting.end(here);
    below.close(&here);
    root.close(&here);
  });
}

TEST_F(NodeTree, ARequestReachesWhatWaitsBelowHoweverDeep) {
  on_worker([&](worker_core& here) {
    branch root;
    branch outer(&root, here.now());
    strand task(&outer, here.now());
    strand timeout(&task, here.now());
    branch group(&timeout, here.now());
    strand child(&group, here.now());
    stub_wait deep;
    stub_wait beside;
    EXPECT_TRUE(deep.begin_below(child, here));
    EXPECT_TRUE(beside.begin_below(root, here));
    outer.request(here.home);
    outer.walk_below(here);
    EXPECT_EQ(deep.stopped, 1);
    EXPECT_EQ(beside.stopped, 0);
    deep.end(here);
    EXPECT_TRUE(beside.at->claim_suspended(beside.generation));
    beside.end(here);
    child.close(here);
    group.close(&here);
    timeout.close(here);
    task.close(here);
    outer.close(&here);
    root.close(&here);
  });
}

TEST_F(NodeTree, StrandsInOneAnotherShareOneSlot) {
  on_worker(
      [&](worker_core& here) {
        branch root;
        strand task(&root, here.now());
        strand inner(&task, here.now());
        EXPECT_EQ(&inner.place(here), &task.place(here));
        stub_wait waiting;
        EXPECT_TRUE(waiting.begin_below(inner, here));
        EXPECT_STREQ(task.waiting_for(), "something");
        inner.request(here.home);
        inner.walk_below(here);
        EXPECT_EQ(waiting.stopped, 1);
        waiting.end(here);
        inner.close(here);
        EXPECT_EQ(task.waiting_for(), nullptr);
        EXPECT_FALSE(task.cancelled_at(here.now()));
        stub_wait next;
        EXPECT_TRUE(next.begin_below(task, here));
        inner.walk_below(here);
        EXPECT_EQ(next.stopped, 0)
            << "a walk of a strand that has ended, at a wait that is none of its";
        EXPECT_TRUE(next.at->claim_suspended(next.generation));
        next.end(here);
        task.close(here);
        root.close(&here);
      });
}

TEST_F(NodeTree, AShieldKeepsRequestsFromAboveOut) {
  on_worker([&](worker_core& here) {
    branch root;
    branch group(&root, here.now());
    strand shielded(&group, here.now());
    shielded.shield(true, here.home);
    strand inner(&shielded, here.now());
    stub_wait waiting;
    EXPECT_TRUE(waiting.begin_below(inner, here));
    group.request(here.home);
    group.walk_below(here);
    EXPECT_EQ(waiting.stopped, 0);
    EXPECT_FALSE(inner.cancelled_at(here.now()));
    shielded.shield(false, here.home);
    EXPECT_TRUE(inner.cancelled_at(here.now()));
    group.walk_below(here);
    EXPECT_EQ(waiting.stopped, 1);
    waiting.end(here);
    inner.close(here);
    shielded.close(here);
    group.close(&here);
    root.close(&here);
  });
}

TEST_F(NodeTree, AShieldDoesNotKeepItsOwnRequestOut) {
  on_worker([&](worker_core& here) {
    strand shielded;
    shielded.shield(true, here.home);
    EXPECT_FALSE(shielded.cancelled_at(here.now()));
    shielded.request(here.home);
    EXPECT_TRUE(shielded.cancelled_at(here.now()));
    shielded.close(here);
  });
}

TEST_F(NodeTree, APollKeepsItsAnswerAtEveryNodeOnTheWay) {
  on_worker([&](worker_core& here) {
    branch root;
    std::deque<strand> chain;
    chain.emplace_back(&root, here.now());
    for (int i = 0; i != 100'000; ++i) {
      chain.emplace_back(&chain.back(), here.now());
    }
    here.home.bump_epoch();
    EXPECT_FALSE(chain.back().cancelled_at(here.now()));
    for (const strand& each : chain) {
      ASSERT_TRUE(each.clear_at(here.now()));
    }
    chain.front().request(here.home);
    EXPECT_TRUE(chain.back().cancelled_at(here.now()));
    EXPECT_TRUE(chain[50'000].cancelled_at(here.now()));
    EXPECT_FALSE(root.cancelled_at(here.now()));
    root.close(&here);
  });
}

// A task that hosts a group whose child hosts a group, and so on: linked, walked and closed without recursion.
TEST_F(NodeTree, AHundredThousandLevelsNeedNoStack) {
  on_worker([&](worker_core& here) {
    constexpr std::size_t levels = 100'000;
    branch root;
    std::deque<strand> tasks;
    std::deque<branch> groups;
    cancel_node* above = &root;
    for (std::size_t i = 0; i != levels; ++i) {
      tasks.emplace_back(above, here.now());
      groups.emplace_back(&tasks.back(), here.now());
      above = &groups.back();
    }
    stub_wait waiting;
    EXPECT_TRUE(waiting.begin_below(groups.back(), here));
    tasks.front().request(here.home);
    tasks.front().walk_below(here);
    EXPECT_EQ(waiting.stopped, 1);
    waiting.end(here);
    for (std::size_t i = levels; i-- != 0;) {
      groups[i].close(&here);
      tasks[i].close(here);
    }
    root.close(&here);
  });
}

// CN2: while one worker links, others register and rely on it, and a request passes through. Whatever the moment,
// each wait ends: by the request, or by itself.
TEST_F(NodeTree, AWaitThatBeginsWhileARequestPassesIsStopped) {
  executor three({.threads = 3});
  executor_core& home = *three.state().core;
  for (long round = rounds(100'000, 500); round != 0; --round) {
    auto root = std::make_unique<branch>();
    auto task = std::make_unique<strand>(root.get(), 0);
    auto group = std::make_unique<branch>(task.get(), 0);
    std::vector<stub_wait> waits(2);
    std::vector<char> asleep(2, 0);
    std::atomic<int> ready{0};
    const auto wait_at = [&](std::size_t i) {
      worker_core& here = *this_worker();
      for (++ready; ready != 3;) {
        std::this_thread::yield();
      }
      asleep[i] = waits[i].begin_below(*group, here) ? 1 : 0;
    };
    const task_handle<> one = three.spawn([&] { wait_at(0); });
    const task_handle<> two = three.spawn([&] { wait_at(1); });
    const task_handle<> canceller = three.spawn([&] {
      for (++ready; ready != 3;) {
        std::this_thread::yield();
      }
      root->request(home);
      root->walk_below(*this_worker());
    });
    ASSERT_TRUE(three.wait_until_idle());
    three.block_on([&] {
      worker_core& here = *this_worker();
      for (std::size_t i = 0; i != waits.size(); ++i) {
        EXPECT_EQ(waits[i].stopped, asleep[i]);
        waits[i].end(here);
      }
      group->close(&here);
      task->close(here);
      root->close(&here);
    });
  }
}

}  // namespace
}  // namespace coppice::detail
