// What comes to workers from elsewhere: wakes, spawned jobs, the request to leave; and the end of what they share.
#include "executor/executor_core.h"

#include <coppice/detail/cancel_observer.h>
#include <coppice/executor.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "executor/executor_state.h"
#include "tests/model/models.h"

namespace coppice::detail {
namespace {

using coppice_model::expect_sound;
using coppice_model::expect_wrong;
using coppice_model::exploration;
using coppice_model::frozen_at;
using coppice_model::model;
using coppice_model::require;
using coppice_model::under_load;
using coppice_model::weaken;
using coppice_model::without;

constexpr const char* core_source = "executor/executor_core.cpp";

// A core without threads of its own: virtual ones run its workers.
class scene {
 public:
  scene() { set(); }

  void set() {
    core_.reset();
    core_.emplace(core_settings{.workers = 1}, owner_.state().time, owner_.state(),
                  owner_.state().spawned);
    owner_.state().core->observer.store(nullptr, std::memory_order_relaxed);
  }
  void clear() { core_.reset(); }

  executor_core& core() noexcept { return *core_; }
  executor& owner() noexcept { return owner_; }
  void work() {
    core().workers[0]->run(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)), 64 * 1024);
  }

 private:
  executor owner_{options{.threads = 1}};
  std::optional<executor_core> core_;
};

// Reads what its maker wrote.
struct errand : job {
  explicit errand(executor_core* end = nullptr) : ends(end) {
    next = nullptr;
    run = [](job& self, worker_core&) noexcept {
      auto& mine = static_cast<errand&>(self);
      require(mine.written == 1, "what the maker of a job wrote is not seen");
      ++mine.times;
      if (mine.ends != nullptr) {
        mine.ends->stop();
      }
    };
  }

  executor_core* const ends;
  int written = 0;
  int times = 0;
};

// The worker sleeps, or is about to; the wake ends it all (X1).
void waking(scene& at) {
  errand it(&at.core());
  {
    const std::jthread worker([&] { at.work(); });
    const std::jthread waker([&] {
      it.written = 1;
      at.core().post(it);
    });
  }
  require(it.times == 1, "a wake is lost");
}

// The same of new work (X2).
void submitting(scene& at) {
  errand it(&at.core());
  {
    const std::jthread worker([&] { at.work(); });
    const std::jthread spawner([&] {
      it.written = 1;
      at.core().submit(it);
    });
  }
  require(it.times == 1, "what is submitted is lost");
}

// What was posted before is still run (X3).
void stopping(scene& at) {
  errand it;
  {
    const std::jthread worker([&] { at.work(); });
    const std::jthread ender([&] {
      it.written = 1;
      at.core().post(it);
      at.core().stop();
    });
  }
  require(it.times == 1, "what was posted before the end is lost");
}

// Whoever finds the job may be the one that ends the core: the poster is still in it (X4).
void ending(scene& at) {
  errand it;
  {
    const std::jthread poster([&] {
      it.written = 1;
      at.core().post(it);
    });
    const std::jthread ender([&] {
      while (at.core().take_wakes() == nullptr) {
        std::this_thread::yield();
      }
      at.core().wait_for_posters();
      at.clear();
    });
  }
}

// ---- Who is told of cancels ---------------------------------------------------------------------

struct watcher final : cancel_observer {
  void cancel_requested() noexcept override { require(made == 1, "it is told before it is there"); }
  void time_moved(time_point) noexcept override {
    require(made == 1, "it is told before it is there");
  }
  int made = 1;
};

void observing(scene& at) {
  std::optional<watcher> told;
  {
    const std::jthread observer([&] { at.owner().observe_cancels(told.emplace()); });
    const std::jthread canceller([&] { at.owner().state().core->bump_epoch(); });
  }
  at.owner().state().core->observer.store(nullptr, std::memory_order_relaxed);
}

// The same where virtual time moves.
void moving_time(scene& at) {
  std::optional<watcher> told;
  time_source time(true);
  executor_core core({.workers = 1}, time, at.owner().state(), at.owner().state().spawned);
  {
    const std::jthread worker([&] { core.still->rest(*core.workers[0], 0, false); });
    const std::jthread thread([&] {
      core.still->advance(std::chrono::milliseconds(1));
      core.stop();
    });
    const std::jthread observer(
        [&] { core.observer.store(&told.emplace(), std::memory_order_release); });
  }
}

class CoreModel : public testing::Test {
 protected:
  model of(const char* name, void (*run)(scene&), exploration how = {}) {
    how.before = [this] { at_.set(); };
    return {std::string("core: ") + name, [this, run] { run(at_); }, how};
  }

 private:
  scene at_;
};

TEST_F(CoreModel, AWakeIsRunThoughItsWorkerGoesToSleep) {
  expect_sound(of("waking", waking, under_load(20'000, 3'000)));
}

TEST_F(CoreModel, WhatIsSubmittedIsRun) {
  expect_sound(of("submitting", submitting, under_load(20'000, 3'000)));
}

TEST_F(CoreModel, AWorkerLeavesBehindTheLastPost) {
  expect_sound(of("stopping", stopping, under_load(20'000, 3'000)));
}

TEST_F(CoreModel, EndsBehindThoseThatPost) {
  expect_sound(of("ending", ending, under_load(20'000, 3'000)));
}

TEST_F(CoreModel, AnObserverIsToldWhenItIsThere) {
  expect_sound(of("observing", observing, under_load(20'000, 3'000)));
  expect_sound(of("moving time", moving_time, under_load(10'000, 1'000)));
}

TEST_F(CoreModel, NeedsItsCounts) {
  weaken({without(core_source, "submitted_count_.fetch_add")});
  expect_wrong(of("submitting", submitting));
  weaken({without(core_source, "posters_.fetch_add")});
  expect_wrong(of("ending", ending));
  weaken({without(core_source, "stopping_.store")});
  expect_wrong(of("stopping", stopping));
  weaken({});
}

// Who posts waits for nobody, not for another that posts.
TEST_F(CoreModel, NobodyWaitsForOneThatStandsStill) {
  const auto posting = [](scene& at) {
    errand one;
    errand other;
    one.written = other.written = 1;
    {
      const std::jthread first([&] { at.core().post(one); });
      const std::jthread second([&] { at.core().post(other); });
      const std::jthread taker([&] { at.core().take_wakes(); });
    }
    at.core().take_wakes();
  };
  for (const std::size_t frozen : {1u, 2u, 3u}) {
    expect_sound(frozen_at(of("posting", posting, under_load(10'000, 1'000)), frozen));
  }
}

}  // namespace
}  // namespace coppice::detail
