// The model of supervisors that restart, against cases worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/restart_generator.h"
#include "tests/support/restart_model.h"

namespace coppice::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using texts = std::vector<std::string>;

constexpr restart_end none = restart_end::none;
constexpr restart_end fails = restart_end::fails;
constexpr restart_end returns = restart_end::returns;

// Each round of time is as long; what a child does in its first round is at its slot.
constexpr long round = 100;

// One that fails in its first life, at this time, and then lives on.
restart_child failing_at(int id, int slot) {
  return {.id = id, .life_slot = slot, .lives = {{none, fails}, {none, none}}, .inner = {}};
}

restart_child living(int id) {
  return {.id = id, .lives = {{none, none}}, .inner = {}};
}

restart_child always(int id, int slot, restart_end how) {
  return {.id = id, .life_slot = slot, .lives = {{none, how}}, .inner = {}};
}

// Has started, or failed to, at this time of the round.
restart_child gated(restart_child of, int slot) {
  of.gated = true;
  of.start_slot = slot;
  return of;
}

restart_child with_type(restart_child of, restart_type type, bool significant = false) {
  of.restart = type;
  of.significant = significant;
  return of;
}

restart_child led(int id, restart_supervisor inner) {
  restart_child made = living(id);
  made.inner.push_back(std::move(inner));
  return made;
}

restart_step call(restart_call what, int slot, int child = 0) {
  return {.call = what, .slot = slot, .child = child, .added = {}};
}

struct played {
  texts children;
  texts body;
  texts reports;
  std::string outcome;
};

played play(restart_supervisor root, long rounds = 5) {
  restart_program program{.root = std::move(root), .end = rounds * round, .modulus = round};
  program.children = 10;
  restart_model model(program);
  restart_history history = model.run();
  EXPECT_FALSE(model.ambiguous());
  played all;
  all.body = history.bodies[0];
  all.outcome = history.outcome;
  for (const restart_event& each : history.children) {
    all.children.push_back(std::to_string(each.when) + " " + each.what);
  }
  all.reports.assign(history.reports.begin(), history.reports.end());
  return all;
}

// Without what happens at time 0.
texts behind_start(texts all) {
  std::erase_if(all, [](const std::string& each) { return each.starts_with("0 "); });
  return all;
}

TEST(RestartModel, StartsInOrderAndStopsInReverse) {
  const played seen = play({.children = {gated(living(0), 3), gated(living(1), 7), living(2)}});
  EXPECT_THAT(seen.children, ElementsAre("0 c0 begins", "3 c1 begins", "7 c2 begins",
                                         "500 c2 stopped", "500 c1 stopped", "500 c0 stopped"));
  EXPECT_THAT(seen.body, ElementsAre("7 begins", "500 stopped"));
  EXPECT_EQ(seen.outcome, "500 stopped ");
}

TEST(RestartModel, UndoesAStartThatFails) {
  restart_child third = gated(living(2), 9);
  third.lives = {{fails, none}};
  const played seen = play({.children = {living(0), gated(living(1), 5), third, living(3)}});
  EXPECT_THAT(seen.children, ElementsAre("0 c1 begins", "0 c0 begins", "5 c2 begins", "9 c2 failed",
                                         "9 c1 stopped", "9 c0 stopped"));
  EXPECT_THAT(seen.body, IsEmpty());
  EXPECT_THAT(seen.reports, IsEmpty());
  EXPECT_EQ(seen.outcome, "9 failed start(f2.0)");
}

TEST(RestartModel, RestartsOneForOne) {
  const played seen = play({.children = {living(0), failing_at(1, 30), living(2)}});
  EXPECT_THAT(behind_start(seen.children),
              ElementsAre("30 c1 failed", "30 c1 begins", "500 c2 stopped", "500 c1 stopped",
                          "500 c0 stopped"));
  EXPECT_THAT(seen.reports, ElementsAre("30 s0 c1 f1.0"));
}

TEST(RestartModel, RestartsOneForAllAndDropsTheTemporary) {
  const played seen = play(
      {.strategy = restart_strategy::one_for_all,
       .children = {living(0), failing_at(1, 30), with_type(living(2), restart_type::temporary),
                    with_type(living(3), restart_type::transient)}});
  EXPECT_THAT(behind_start(seen.children),
              ElementsAre("30 c1 failed", "30 c3 stopped", "30 c2 stopped", "30 c0 stopped",
                          "30 c0 begins", "30 c1 begins", "30 c3 begins", "500 c3 stopped",
                          "500 c1 stopped", "500 c0 stopped"));
}

TEST(RestartModel, RestartsTheRestForOne) {
  const played seen = play({.strategy = restart_strategy::rest_for_one,
                            .children = {living(0), failing_at(1, 30), living(2), living(3)}});
  EXPECT_THAT(behind_start(seen.children),
              ElementsAre("30 c1 failed", "30 c3 stopped", "30 c2 stopped", "30 c1 begins",
                          "30 c2 begins", "30 c3 begins", "500 c3 stopped", "500 c2 stopped",
                          "500 c1 stopped", "500 c0 stopped"));
}

TEST(RestartModel, RestartsByTypeAndEnd) {
  const auto starts = [](restart_type type, restart_end how) {
    const played seen =
        play({.max_restarts = 100, .children = {living(0), with_type(always(1, 10, how), type)}});
    return std::count_if(seen.children.begin(), seen.children.end(),
                         [](const std::string& each) { return each.ends_with("c1 begins"); });
  };
  EXPECT_EQ(starts(restart_type::permanent, fails), 6);
  EXPECT_EQ(starts(restart_type::permanent, returns), 6);
  EXPECT_EQ(starts(restart_type::transient, fails), 6);
  EXPECT_EQ(starts(restart_type::transient, returns), 1);
  EXPECT_EQ(starts(restart_type::temporary, fails), 1);
  EXPECT_EQ(starts(restart_type::temporary, returns), 1);
}

// Ends at 10, 110, 210, ...
TEST(RestartModel, AllowsExactlyMaxRestartsWithinThePeriod) {
  const auto ends = [](unsigned max_restarts, long period) {
    return play(
               {.max_restarts = max_restarts, .period = period, .children = {always(0, 10, fails)}},
               9)
        .outcome;
  };
  EXPECT_EQ(ends(0, 1), "10 failed limit(c0,1,f0.0)");
  EXPECT_EQ(ends(2, 1'000), "210 failed limit(c0,3,f0.2)");
  EXPECT_EQ(ends(1, 100), "110 failed limit(c0,2,f0.1)");
  EXPECT_EQ(ends(1, 99), "900 stopped ");
  EXPECT_EQ(ends(2, 200), "210 failed limit(c0,3,f0.2)");
  EXPECT_EQ(ends(2, 199), "900 stopped ");
}

TEST(RestartModel, EscalatesLevelByLevel) {
  restart_supervisor innermost{
      .id = 2, .max_restarts = 1, .period = 1'000, .children = {always(2, 10, fails)}};
  restart_supervisor middle{
      .id = 1, .max_restarts = 1, .period = 1'000, .children = {living(3), led(1, innermost)}};
  const played seen = play({.max_restarts = 0, .children = {living(4), led(0, middle)}}, 9);
  EXPECT_EQ(seen.outcome, "310 failed limit(c0,1,limit(c1,2,limit(c2,2,f2.3)))");
  EXPECT_THAT(seen.reports,
              ElementsAre("10 s2 c2 f2.0", "110 s1 c1 limit(c2,2,f2.1)", "110 s2 c2 f2.1",
                          "210 s2 c2 f2.2", "310 s0 c0 limit(c1,2,limit(c2,2,f2.3))",
                          "310 s1 c1 limit(c2,2,f2.3)", "310 s2 c2 f2.3"));
}

TEST(RestartModel, CountsAStartThatFailsAndTriesAgain) {
  restart_child second = gated(failing_at(1, 30), 5);
  second.lives = {{none, fails}, {fails, none}, {fails, none}, {none, none}};
  restart_supervisor plan{.strategy = restart_strategy::rest_for_one,
                          .max_restarts = 3,
                          .period = 1'000,
                          .children = {living(0), second, living(2)}};
  const played seen = play(plan);
  EXPECT_THAT(behind_start(seen.children),
              ElementsAre("5 c2 begins", "30 c1 failed", "30 c2 stopped", "30 c1 begins",
                          "105 c1 failed", "105 c1 begins", "205 c1 failed", "205 c1 begins",
                          "305 c2 begins", "500 c2 stopped", "500 c1 stopped", "500 c0 stopped"));
  EXPECT_THAT(seen.reports, ElementsAre("105 s0 c1 f1.1", "205 s0 c1 f1.2", "30 s0 c1 f1.0"));
  plan.max_restarts = 2;
  EXPECT_EQ(play(plan).outcome, "205 failed limit(c1,3,f1.2)");
}

TEST(RestartModel, KeepsOneThatIsIgnoredUnlessItIsTemporary) {
  restart_child kept = gated(failing_at(0, 30), 5);
  kept.lives = {{none, fails}, {returns, none}};
  restart_child lost = with_type(gated(living(1), 7), restart_type::temporary);
  lost.lives = {{returns, none}};
  const played seen = play({.children = {kept, lost, living(2)},
                            .body = {call(restart_call::look, 20), call(restart_call::look, 250)}});
  EXPECT_THAT(seen.children,
              ElementsAre("0 c0 begins", "5 c1 begins", "7 c1 ended", "7 c2 begins", "30 c0 failed",
                          "30 c0 begins", "105 c0 ended", "500 c2 stopped"));
  EXPECT_THAT(seen.body, ElementsAre("7 begins", "20 c0+0 c2+0 of 2: 2, 0+2",
                                     "250 c0-1 c2+0 of 2: 1, 0+2", "500 stopped"));
}

TEST(RestartModel, WaitsLongerBeforeEachRestartUntilHealth) {
  restart_child child = always(0, 10, fails);
  child.delay = 20;
  child.longest_delay = 70;
  child.healthy_after = 101;
  child.lives = {{none, fails}, {none, fails}, {none, fails}, {none, fails}, {none, none}};
  restart_supervisor plan{.max_restarts = 100, .children = {child, living(1)}};
  // Fails at 10, begins at 30; at 110, 150; at 210, 280; at 310, 380.
  EXPECT_THAT(behind_start(play(plan).children),
              ElementsAre("10 c0 failed", "30 c0 begins", "110 c0 failed", "150 c0 begins",
                          "210 c0 failed", "280 c0 begins", "310 c0 failed", "380 c0 begins",
                          "500 c1 stopped", "500 c0 stopped"));
  plan.children.front().healthy_after = 79;  // From 30 to 110.
  EXPECT_THAT(behind_start(play(plan).children),
              ElementsAre("10 c0 failed", "30 c0 begins", "110 c0 failed", "130 c0 begins",
                          "210 c0 failed", "230 c0 begins", "310 c0 failed", "330 c0 begins",
                          "500 c1 stopped", "500 c0 stopped"));
}

TEST(RestartModel, StopsAtOnceWhileARestartIsDelayed) {
  restart_child child = failing_at(0, 10);
  child.delay = 1'000;
  const played seen =
      play({.children = {child, living(1)},
            .body = {call(restart_call::look, 50), call(restart_call::restart, 60, 0),
                     call(restart_call::remove, 70, 0)}});
  EXPECT_THAT(behind_start(seen.children), ElementsAre("10 c0 failed", "500 c1 stopped"));
  EXPECT_THAT(seen.body, ElementsAre("0 begins", "50 c0~0 c1+0 of 2: 1, 0+2",
                                     "60 restart c0: usage", "70 delete c0: usage", "500 stopped"));
}

TEST(RestartModel, ShutsDownForSignificantChildren) {
  const auto ends = [](shutdown_trigger trigger, restart_type type, restart_end how) {
    return play({.auto_shutdown = trigger,
                 .children = {living(0), with_type(always(1, 10, how), type, true),
                              with_type(always(2, 20, returns), restart_type::transient, true)}})
        .outcome;
  };
  EXPECT_EQ(ends(shutdown_trigger::any_significant, restart_type::temporary, fails), "10 ended ");
  EXPECT_EQ(ends(shutdown_trigger::any_significant, restart_type::transient, returns), "10 ended ");
  EXPECT_EQ(ends(shutdown_trigger::any_significant, restart_type::transient, fails), "20 ended ");
  EXPECT_EQ(ends(shutdown_trigger::all_significant, restart_type::temporary, fails), "20 ended ");
  EXPECT_EQ(ends(shutdown_trigger::never, restart_type::temporary, fails), "500 stopped ");
}

TEST(RestartModel, AnswersCalls) {
  const played seen =
      play({.children = {living(0), with_type(living(1), restart_type::temporary)},
            .body = {call(restart_call::restart, 10, 0), call(restart_call::remove, 11, 0),
                     call(restart_call::terminate, 12, 0), call(restart_call::terminate, 13, 0),
                     call(restart_call::look, 14), call(restart_call::restart, 15, 0),
                     call(restart_call::terminate, 16, 1), call(restart_call::restart, 17, 1),
                     call(restart_call::terminate, 18, 0), call(restart_call::remove, 19, 0),
                     call(restart_call::terminate, 20, 0), call(restart_call::look, 21)}});
  EXPECT_THAT(
      seen.body,
      ElementsAre("0 begins", "10 restart c0: usage", "11 delete c0: usage", "12 terminate c0: ok",
                  "13 terminate c0: ok", "14 c0-0 c1+0 of 2: 1, 0+2", "15 restart c0: ok",
                  "16 terminate c1: ok", "17 restart c1: usage", "18 terminate c0: ok",
                  "19 delete c0: ok", "20 terminate c0: usage", "21 of 0: 0, 0+0", "500 stopped"));
  EXPECT_THAT(behind_start(seen.children),
              ElementsAre("12 c0 stopped", "15 c0 begins", "16 c1 stopped", "18 c0 stopped"));
}

TEST(RestartModel, StartsAChildOnRequest) {
  restart_step good = call(restart_call::start, 10);
  good.added = {gated(living(1), 15)};
  restart_step bad = call(restart_call::start, 20);
  bad.added = {gated(living(2), 25)};
  bad.added.front().lives = {{fails, none}};
  restart_step taken = call(restart_call::start, 30);
  taken.added = {living(0)};
  const played seen =
      play({.children = {living(0)}, .body = {good, bad, taken, call(restart_call::look, 40)}});
  EXPECT_THAT(seen.body,
              ElementsAre("0 begins", "15 start c1: ok", "25 start c2: start(f2.0)",
                          "30 start c0: usage", "40 c0+0 c1+0 of 2: 2, 0+2", "500 stopped"));
}

TEST(RestartModel, RestartsWhoWasCancelledIfItIsPermanent) {
  restart_child slow = living(0);
  slow.stop = restart_stop::slow;
  slow.stop_slot = 40;
  const played seen =
      play({.children = {slow, with_type(living(1), restart_type::transient),
                         with_type(living(2), restart_type::temporary)},
            .body = {call(restart_call::cancel, 10, 0), call(restart_call::cancel, 11, 1),
                     call(restart_call::cancel, 12, 2), call(restart_call::cancel, 13, 0),
                     call(restart_call::look, 45)}});
  EXPECT_THAT(behind_start(seen.children),
              ElementsAre("11 c1 stopped", "12 c2 stopped", "40 c0 stopped", "40 c0 begins",
                          "540 c0 stopped"));
  EXPECT_THAT(seen.body, ElementsAre("0 begins", "45 c0+1 c1-0 of 2: 1, 0+2", "500 stopped"));
}

// c2 takes until 40 to stop; what ends meanwhile is heard of then, and in order.
TEST(RestartModel, DoesOneThingAfterTheOther) {
  restart_child slow = living(2);
  slow.stop = restart_stop::slow;
  slow.stop_slot = 40;
  const played seen =
      play({.max_restarts = 2,
            .period = 12,
            .children = {failing_at(0, 20), failing_at(1, 35), slow, failing_at(3, 52)},
            .body = {call(restart_call::terminate, 10, 2)}});
  EXPECT_THAT(behind_start(seen.children),
              ElementsAre("20 c0 failed", "35 c1 failed", "40 c2 stopped", "40 c0 begins",
                          "40 c1 begins", "52 c3 failed", "52 c1 stopped", "52 c0 stopped"));
  EXPECT_EQ(seen.outcome, "52 failed limit(c3,3,f3.0)");
}

TEST(RestartModel, ForgetsWhoEndedWhileAllWereStoppedForASibling) {
  restart_child slow = living(2);
  slow.stop = restart_stop::slow;
  slow.stop_slot = 40;
  const played seen = play({.strategy = restart_strategy::one_for_all,
                            .max_restarts = 1,
                            .children = {failing_at(0, 20), failing_at(1, 30), slow}});
  EXPECT_THAT(seen.reports, ElementsAre("20 s0 c0 f0.0", "30 s0 c1 f1.0"));
  EXPECT_EQ(seen.outcome, "540 stopped ");
}

TEST(RestartModel, EndsWhenItsBodyAndItsChildrenHaveEnded) {
  restart_step ends = call(restart_call::end, 5);
  ends.end = returns;
  const played seen = play(
      {.children = {with_type(always(0, 20, returns), restart_type::transient)}, .body = {ends}});
  EXPECT_EQ(seen.outcome, "20 ended ");
}

TEST(RestartModel, SaysWhenOrderIsUndefined) {
  restart_program program{.root = {.children = {always(0, 10, fails), always(1, 10, fails)}},
                          .end = 50,
                          .modulus = 100};
  program.children = 2;
  restart_model model(program);
  model.run();
  EXPECT_TRUE(model.ambiguous());
}

// A model that says the same of every program would agree with anything.
TEST(RestartModel, MeetsEveryCorner) {
  std::vector<int> met(restart_corners().size());
  int ambiguous = 0;
  constexpr int programs = 6'000;
  for (unsigned seed = 1; seed <= programs; ++seed) {
    const restart_program program = restart_generator(seed).make();
    restart_model model(program);
    model.run();
    ambiguous += model.ambiguous() ? 1 : 0;
    for (std::size_t i = 0; i != met.size(); ++i) {
      met[i] += model.corners().test(i) && !model.ambiguous() ? 1 : 0;
    }
  }
  EXPECT_LT(ambiguous, programs / 3);
  for (std::size_t i = 0; i != met.size(); ++i) {
    EXPECT_GT(met[i], 1) << "corner " << i;
  }
}

}  // namespace
}  // namespace coppice::testing_support
