// A wait against its event and against requests to stop: who ends it, and that somebody does.
#include <coppice/detail/suspension.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/model/models.h"
#include "tests/model/stage.h"

namespace coppice_model {
namespace {

using detail::worker;

// What the models have in common: worker 0 is whose scopes these are.
class play {
 public:
  explicit play(stage& on) : on_(on) {}

  void suspend(wait& it, detail::cancel_node& under, std::size_t on = 0) {
    on_.as_worker(on, [&](worker& here) { it.begin_under(under, here); });
  }
  bool fire(wait& it, std::size_t on) {
    bool waited = false;
    on_.as_worker(on, [&](worker& here) { waited = it.fire(here); });
    on_.run_queued(on);
    return waited;
  }
  void claim(wait& it, std::size_t on) {
    on_.as_worker(on, [&](worker& here) { it.claim(here); });
    on_.run_queued(on);
  }
  void walk(node& scope, std::size_t on) {
    on_.as_worker(on, [&](worker& here) { scope.walk_below(here); });
    on_.run_queued(on);
  }
  void cancel(node& scope, std::size_t on) {
    scope.cancel(on_.core());
    walk(scope, on);
  }
  void close(node& scope) {
    on_.as_worker(0, [&](worker& here) { scope.close(&here); });
  }

  stage& on() const { return on_; }
  node* root() const { return &on_.root(); }

 private:
  stage& on_;
};

void expect_over(const wait& it) {
  require(it.over(), "a wait is not ended, neither by its event nor by a stop");
}

// ---- A wait and a request -----------------------------------------------------------------------

// The suspender publishes and looks at the epoch, the canceller moves the epoch and looks at the slots (S3).
void wait_or_stop(play& at) {
  node scope(at.root());
  wait it;
  {
    const std::jthread suspender([&] { at.suspend(it, scope); });
    const std::jthread canceller([&] { at.cancel(scope, 1); });
  }
  expect_over(it);
  at.close(scope);
}

// Both the event and the request come: one of them ends it.
void event_or_stop(play& at) {
  node scope(at.root());
  wait it;
  {
    const std::jthread suspender([&] { at.suspend(it, scope); });
    const std::jthread event([&] { at.fire(it, 1); });
    const std::jthread canceller([&] { at.cancel(scope, 2); });
  }
  expect_over(it);
  at.close(scope);
}

// It goes on, whatever a walk for somebody else does to its slot meanwhile.
void event_and_idle_walk(play& at) {
  node scope(at.root());
  wait it;
  at.suspend(it, scope);
  {
    const std::jthread event([&] { at.fire(it, 1); });
    const std::jthread walker([&] {
      at.on().core().bump_epoch();
      at.walk(scope, 2);
    });
  }
  require(it.times_resumed() == 1, "a wait whose event has come does not go on");
  at.close(scope);
}

// Two requests at two heights, whose walks meet.
void two_walks(play& at) {
  node upper(at.root());
  node lower(&upper);
  wait one;
  wait other;
  at.suspend(one, lower);
  {
    const std::jthread suspender([&] { at.suspend(other, upper); });
    const std::jthread above([&] { at.cancel(upper, 1); });
    const std::jthread below([&] { at.cancel(lower, 2); });
  }
  expect_over(one);
  expect_over(other);
  at.close(lower);
  at.close(upper);
}

// ---- Registration -------------------------------------------------------------------------------

// What is linked for the first time while a walk from above passes (CN2).
void linking(play& at) {
  node upper(at.root());
  node lower(&upper);
  wait it;
  {
    const std::jthread suspender([&] { at.suspend(it, lower); });
    const std::jthread canceller([&] { at.cancel(upper, 1); });
  }
  expect_over(it);
  at.close(lower);
  at.close(upper);
}

// Two register at once below a node, and one of them links it.
void linking_together(play& at) {
  node upper(at.root());
  node lower(&upper);
  wait one;
  wait other;
  {
    const std::jthread suspender([&] { at.suspend(one, lower); });
    const std::jthread second([&] { at.suspend(other, lower, 2); });
    const std::jthread canceller([&] { at.cancel(upper, 1); });
  }
  expect_over(one);
  expect_over(other);
  at.close(lower);
  at.close(upper);
}

// ---- What is over -------------------------------------------------------------------------------

// A ticket is kept beyond its wait; the slot is used for another.
void old_ticket(play& at) {
  node scope(at.root());
  wait first;
  wait second;
  {
    const std::jthread suspender([&] {
      at.suspend(first, scope);
      at.suspend(second, scope);
    });
    const std::jthread event([&] {
      if (at.fire(first, 1)) {
        at.claim(first, 1);
      }
    });
  }
  require(second.times_resumed() + second.times_stopped() == 0, "an old ticket ends another wait");
  at.cancel(scope, 1);  // Nobody may have waited when the event came.
  expect_over(first);
  expect_over(second);
  at.close(scope);
}

// A walk finds a chunk that belongs to another scope by then: what waits there it leaves alone.
void walk_into_another(play& at) {
  node old(at.root());
  node later(at.root());
  wait first;
  wait second;
  at.suspend(first, old);
  at.fire(first, 0);
  {
    const std::jthread owner([&] {
      at.close(old);
      at.suspend(second, later);
    });
    const std::jthread canceller([&] { at.cancel(old, 1); });
  }
  require(second.times_stopped() == 0, "a wait is stopped by a request that was not meant for it");
  at.fire(second, 0);
  expect_over(second);
  at.close(later);
}

// ---- All of them --------------------------------------------------------------------------------

std::vector<model> models(play& at, exploration how) {
  how.before = [&at] { at.on().set(); };
  const auto of = [&at, how](const char* name, void (*run)(play&)) {
    return model{std::string("suspension: ") + name, [&at, run] { run(at); }, how};
  };
  return {of("wait or stop", wait_or_stop),
          of("event or stop", event_or_stop),
          of("event and idle walk", event_and_idle_walk),
          of("two walks", two_walks),
          of("linking", linking),
          of("linking together", linking_together),
          of("old ticket", old_ticket),
          of("walk into another", walk_into_another)};
}

class SuspensionModel : public testing::Test {
 protected:
  stage on_{3};
  play at_{on_};
};

TEST_F(SuspensionModel, EveryWaitEndsOnceByItsEventOrAStop) {
  for (const model& each : models(at_, under_load(50'000, 10'000))) {
    expect_sound(each);
  }
}

// S3 and E1: the suspender and the canceller, of whom one sees the other. What a walker reads before it asks a wait's
// scope need be no newer than what it has seen: it reads the epoch once more when it has published the slot again.
TEST_F(SuspensionModel, NeedsItsTotalOrder) {
  const std::vector<model> all = models(at_, {});
  const std::string headers = "executor/include/coppice/detail/";
  EXPECT_EQ(unneeded_orders(headers + "slot.h", {"S3"}, all), "");
  EXPECT_EQ(unneeded_orders(headers + "suspension.h", {"S3"}, all),
            "epoch seen = here.cancel_epoch->load(std::memory_order_seq_cst);\n");
  EXPECT_EQ(unneeded_orders("executor/executor_core.h", {"E1"}, all), "");
}

// ---- Progress -----------------------------------------------------------------------------------

TEST_F(SuspensionModel, NobodyWaitsForOneThatStandsStill) {
  for (const model& each : models(at_, under_load(20'000, 3'000))) {
    for (const std::size_t frozen : {1u, 2u, 3u}) {
      expect_sound(frozen_at(each, frozen));
    }
  }
}

}  // namespace
}  // namespace coppice_model
