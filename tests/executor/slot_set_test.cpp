#include <coppice/detail/slot_set.h>
#include <coppice/detail/suspension.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/support/failing_new.h"

namespace coppice::detail {
namespace {

// Waits in a slot of a set, and notes who ended that.
class stub_wait : public suspension, job {
 public:
  stub_wait() {
    run = [](job& self, worker_core&) noexcept { ++static_cast<stub_wait&>(self).resumed; };
  }

  void begin_in(slot_set& set, cancel_node* scope, worker_core& here) {
    begin(*this, scope, here.home, [](suspension& self, worker_core&) noexcept {
      ++static_cast<stub_wait&>(self).stopped;
      return std::coroutine_handle<>(std::noop_coroutine());
    });
    at = &set.take(&here);
    generation = at->arm(*this);
    ASSERT_TRUE(at->publish(generation));
  }

  std::uint64_t generation = 0;
  int resumed = 0;
  int stopped = 0;
};

// Asked to stop by setting the flag alone: whoever polls at a new epoch sees it.
class stub_root final : public branch_node {
 public:
  explicit stub_root(worker_core& here) : here_(here) {}
  void request() {
    state_.request();
    here_.home.bump_epoch();
  }

 private:
  worker_core& here_;
};

class SlotSet : public testing::Test {
 protected:
  // Runs on the one worker.
  template <class Body>
  void on_worker(const Body& body) {
    on_.block_on([&] { body(*this_worker()); });
  }

  static std::size_t chunks_of(const slot_set& set) {
    std::size_t chunks = 0;
    for (slot_chunk* shard = set.first(); shard != nullptr; shard = shard->next_shard()) {
      for (slot_chunk* chunk = shard; chunk != nullptr; chunk = chunk->next()) {
        ++chunks;
      }
    }
    return chunks;
  }

  executor on_{options{.threads = 1}};
  slot_set set_;
};

TEST_F(SlotSet, HasNothingAtFirst) {
  EXPECT_EQ(set_.first(), nullptr);
  set_.close(nullptr);
}

TEST_F(SlotSet, GivesEachSlotOnce) {
  on_worker([&](worker_core& here) {
    std::set<slot*> taken;
    for (int i = 0; i != 10'000; ++i) {
      slot& each = set_.take(&here);
      EXPECT_EQ(each.look().at, slot::state::held);
      EXPECT_TRUE(taken.insert(&each).second);
    }
    for (slot* each : taken) {
      each->release();
    }
    set_.close(&here);
    EXPECT_EQ(set_.first(), nullptr);
  });
}

TEST_F(SlotSet, OneThatIsUsedAgainAndAgainStaysSmall) {
  on_worker([&](worker_core& here) {
    for (int i = 0; i != 10'000; ++i) {
      set_.take(&here).release();
    }
    EXPECT_EQ(chunks_of(set_), 1u);
    set_.close(&here);
  });
}

// As when tasks suspend here and are resumed, and so give their slots back, elsewhere: in order of arrival.
TEST_F(SlotSet, StaysInProportionToWhatIsInUse) {
  on_worker([&](worker_core& here) {
    std::vector<slot*> ring(1'000, nullptr);
    for (std::size_t i = 0; i != 1'000'000; ++i) {
      slot*& place = ring[i % ring.size()];
      if (place != nullptr) {
        place->release();
      }
      place = &set_.take(&here);
    }
    EXPECT_LT(chunks_of(set_), 20u);
    for (slot* each : ring) {
      each->release();
    }
    set_.close(&here);
  });
}

TEST_F(SlotSet, HasAShardForEveryWorkerAndForOthers) {
  executor two({.threads = 1});
  slot& mine = set_.take(nullptr);
  slot* first = nullptr;
  slot* second = nullptr;
  on_worker([&](worker_core& here) { first = &set_.take(&here); });
  two.block_on([&] { second = &set_.take(this_worker()); });
  std::size_t shards = 0;
  for (slot_chunk* shard = set_.first(); shard != nullptr; shard = shard->next_shard()) {
    ++shards;
  }
  EXPECT_EQ(shards, 3u);
  for (slot* each : {&mine, first, second}) {
    each->release();
  }
  set_.close(nullptr);
}

// A walk may come to a chunk at any time, and takes what it finds there for waits.
TEST_F(SlotSet, TheChunksOfAListAreNeverThoseOfWaits) {
  slot_set list(slot_set::purpose::list);
  list.take(nullptr).release();
  const slot_chunk* const chunk = list.first();
  list.close(nullptr);
  slot_set waits;
  waits.take(nullptr).release();
  EXPECT_NE(waits.first(), chunk);
  waits.close(nullptr);
  slot_set another(slot_set::purpose::list);
  another.take(nullptr).release();
  EXPECT_EQ(another.first(), chunk);
  another.close(nullptr);
}

TEST_F(SlotSet, WithoutMemoryTakesNothing) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP();
  }
  on_worker([&](worker_core& here) {
    std::vector<slot*> taken;
    taken.reserve(100'000);
    bool refused = false;
    while (!refused) {
      const testing_support::fail_allocation_at no_memory(
          1, testing_support::failing_threads::caller,
          testing_support::failing_times::from_there_on);
      try {
        taken.push_back(&set_.take(&here));
      } catch (const std::bad_alloc&) {
        refused = true;
      }
    }
    taken.push_back(&set_.take(&here));
    EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), taken.size());
    for (slot* each : taken) {
      each->release();
    }
    set_.close(&here);
  });
}

TEST_F(SlotSet, AWalkStopsThoseThatAreAskedToStopAndNobodyElse) {
  on_worker([&](worker_core& here) {
    stub_root asked(here);
    stub_root other(here);
    std::vector<stub_wait> waits(500);
    for (std::size_t i = 0; i != waits.size(); ++i) {
      waits[i].begin_in(set_, i % 2 == 0 ? &asked : &other, here);
    }
    walk::from(*set_.first(), here);
    for (const stub_wait& each : waits) {
      EXPECT_EQ(each.stopped, 0);
    }
    asked.request();
    walk::from(*set_.first(), here);
    walk::from(*set_.first(), here);
    for (std::size_t i = 0; i != waits.size(); ++i) {
      EXPECT_EQ(waits[i].stopped, i % 2 == 0 ? 1 : 0);
      if (i % 2 != 0) {
        EXPECT_TRUE(waits[i].at->claim_suspended(waits[i].generation));
      }
      waits[i].at->release();
    }
    set_.close(&here);
    asked.close(&here);
    other.close(&here);
  });
}

// A chain of sets, each with some waits before and behind the way down; deeper than a walk's own memory.
TEST_F(SlotSet, AWalkGoesDownAsDeepAsThereAreLinks) {
  on_worker([&](worker_core& here) {
    constexpr std::size_t depth = 20'000;
    stub_root asked(here);
    std::vector<slot_set> sets(depth);
    std::vector<stub_wait> waits(2 * depth);
    std::vector<slot*> links(depth, nullptr);
    for (std::size_t i = 0; i != depth; ++i) {
      waits[2 * i].begin_in(sets[i], &asked, here);
      if (i + 1 != depth) {
        links[i] = &sets[i].take(&here);
      }
      waits[2 * i + 1].begin_in(sets[i], &asked, here);
    }
    for (std::size_t i = 0; i + 1 != depth; ++i) {
      links[i]->link(*sets[i + 1].first());
    }
    asked.request();
    walk::from(*sets[0].first(), here);
    for (stub_wait& each : waits) {
      EXPECT_EQ(each.stopped, 1);
      each.at->release();
    }
    for (std::size_t i = 0; i != depth; ++i) {
      if (links[i] != nullptr) {
        links[i]->unlink();
        links[i]->release();
      }
      sets[i].close(&here);
    }
    asked.close(&here);
  });
}

TEST_F(SlotSet, AWalkThatComesLateFindsAnotherSetsSlotsAndLeavesThemAlone) {
  on_worker([&](worker_core& here) {
    stub_root nobody(here);
    slot_set closed;
    slot& link = set_.take(&here);
    closed.take(&here).release();
    link.link(*closed.first());
    closed.close(&here);  // Its chunk is now whoever's takes it.
    slot_set next;
    stub_wait waiting;
    waiting.begin_in(next, &nobody, here);
    walk::from(*set_.first(), here);
    EXPECT_EQ(waiting.stopped, 0);
    EXPECT_TRUE(waiting.at->claim_suspended(waiting.generation));
    waiting.at->release();
    next.close(&here);
    link.unlink();
    link.release();
    set_.close(&here);
    nobody.close(&here);
  });
}

// So many waits that a walk is shared, by workers without anything else to do.
class SharedWalk : public testing::TestWithParam<unsigned> {
 protected:
  static constexpr std::size_t many = 10'000;

  class wait : public suspension, job {
   public:
    wait() {
      run = [](job&, worker_core&) noexcept { ADD_FAILURE() << "resumed"; };
    }

    void begin_in(slot_set& set, SharedWalk& test, worker_core& here) {
      test_ = &test;
      begin(*this, &*test.asked_, here.home, [](suspension& self, worker_core& on) noexcept {
        auto& mine = static_cast<wait&>(self);
        EXPECT_EQ(&on, this_worker());
        mine.stopped.fetch_add(1, std::memory_order_relaxed);
        mine.test_->at_stop_(mine);
        mine.test_->stopped_.fetch_add(1, std::memory_order_release);  // The test may end.
        return std::coroutine_handle<>(std::noop_coroutine());
      });
      at = &set.take(&here);
      ASSERT_TRUE(at->publish(at->arm(*this)));
    }

    std::atomic<int> stopped{0};

   private:
    SharedWalk* test_ = nullptr;
  };

  void walk_over_all() {
    on_.block_on([&] {
      worker_core& here = *this_worker();
      asked_.emplace(here);
      for (wait& each : waits_) {
        each.begin_in(set_, *this, here);
      }
      asked_->request();
      walk::from(*set_.first(), here);
    });
    while (stopped_.load(std::memory_order_acquire) != many) {
      std::this_thread::yield();  // Those who joined may still be at their last one.
    }
    on_.block_on([&] {
      for (wait& each : waits_) {
        EXPECT_EQ(each.stopped.load(std::memory_order_relaxed), 1);
        each.at->release();
      }
      set_.close(this_worker());
      asked_->close(this_worker());
    });
  }

  executor on_{options{.threads = GetParam()}};
  slot_set set_;
  std::optional<stub_root> asked_;
  std::vector<wait> waits_ = std::vector<wait>(many);
  std::atomic<std::size_t> stopped_{0};
  std::function<void(wait&)> at_stop_ = [](wait&) {};
};

TEST_P(SharedWalk, StopsEachOnce) {
  walk_over_all();
}

// Whoever comes to the one in the middle stays there until all others are stopped.
TEST_P(SharedWalk, IsHeldUpByOneThatStandsStillAtThatOneOnly) {
  if (GetParam() == 1) {
    GTEST_SKIP() << "nobody is there to join";
  }
  at_stop_ = [&](wait& one) {
    if (&one == &waits_[many / 2]) {
      while (stopped_.load(std::memory_order_relaxed) != many - 1) {
        std::this_thread::yield();
      }
    }
  };
  walk_over_all();
}

INSTANTIATE_TEST_SUITE_P(Workers, SharedWalk, testing::Values(1u, 2u, 4u));

}  // namespace
}  // namespace coppice::detail
