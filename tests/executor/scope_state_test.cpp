#include <coppice/detail/scope_state.h>
#include <gtest/gtest.h>

#include "tests/support/load.h"
#include "tests/support/race.h"

namespace coppice::detail {
namespace {

using testing_support::race;
using testing_support::rounds;

TEST(ScopeState, BeginsWithNothing) {
  const scope_state fresh;
  EXPECT_FALSE(fresh.requested());
  EXPECT_FALSE(fresh.shielded());
  EXPECT_FALSE(fresh.linked());
  EXPECT_TRUE(fresh.transparent());
}

TEST(ScopeState, TellsTheFirstToAsk) {
  scope_state state;
  EXPECT_TRUE(state.request());
  EXPECT_FALSE(state.request());
  EXPECT_TRUE(state.requested());
  EXPECT_FALSE(state.transparent());
}

TEST(ScopeState, AShieldComesAndGoes) {
  scope_state state;
  state.shield(true);
  EXPECT_TRUE(state.shielded());
  EXPECT_FALSE(state.transparent());
  EXPECT_FALSE(state.requested());
  state.shield(false);
  EXPECT_FALSE(state.shielded());
  EXPECT_TRUE(state.transparent());
}

TEST(ScopeState, TellsTheOneThatIsToLink) {
  scope_state state;
  EXPECT_TRUE(state.begin_link());
  EXPECT_FALSE(state.begin_link());
  EXPECT_TRUE(state.linked());
  EXPECT_TRUE(state.transparent());
  state.unlink();
  EXPECT_TRUE(state.begin_link());
}

TEST(ScopeState, OverridesShieldsAlsoBehindACommonRequest) {
  scope_state state;
  EXPECT_TRUE(state.request());
  EXPECT_FALSE(state.overrides_shields());
  EXPECT_TRUE(state.override_shields());
  EXPECT_FALSE(state.override_shields());
  EXPECT_TRUE(state.overrides_shields());
  EXPECT_TRUE(scope_state().override_shields());
  EXPECT_FALSE(state.request()) << "it is one as well";
}

TEST(ScopeState, IsUnyieldingOnlyBehindItsShield) {
  scope_state state;
  state.be_unyielding();
  EXPECT_FALSE(state.unyielding());
  EXPECT_TRUE(state.transparent());
  state.shield(true);
  EXPECT_TRUE(state.unyielding());
  state.shield(false);
  EXPECT_FALSE(state.unyielding());
  EXPECT_EQ(scope_state(scope_state::what::branch).is(), scope_state::what::branch);
}

TEST(ScopeState, KeepsTheOthersWhateverChanges) {
  scope_state state;
  state.shield(true);
  static_cast<void>(state.begin_link());
  static_cast<void>(state.request());
  state.shield(false);
  EXPECT_TRUE(state.requested());
  EXPECT_TRUE(state.linked());
  state.unlink();
  EXPECT_TRUE(state.requested());
}

TEST(ScopeState, IsNotLinkedOnceItIsLeft) {
  scope_state fresh;
  EXPECT_FALSE(fresh.leavable());
  fresh.may_be_left();
  EXPECT_TRUE(fresh.leavable());
  EXPECT_TRUE(fresh.transparent());
  fresh.leave();
  EXPECT_FALSE(fresh.begin_link());
  EXPECT_TRUE(fresh.linked()) << "nobody is to link it";
  EXPECT_FALSE(fresh.holds_link());
}

TEST(ScopeState, HoldsItsLinkThoughItIsLeft) {
  scope_state linked;
  EXPECT_TRUE(linked.begin_link());
  linked.leave();
  EXPECT_TRUE(linked.holds_link());
  linked.unlink();
  EXPECT_FALSE(linked.holds_link());
  EXPECT_FALSE(linked.begin_link());
}

// N1: who sees the flag sees what was written before it. The payload is plain, for ThreadSanitizer.
TEST(ScopeState, ARequestShowsWhatWasWrittenBefore) {
  scope_state* state = nullptr;
  int payload = 0;
  int firsts = 0;
  race(
      rounds(1'000'000, 2'000),
      [&] {
        delete state;
        state = new scope_state;
        payload = 0;
        firsts = 0;
      },
      {[&] {
         payload = 7;
         firsts += state->request() ? 1 : 0;
       },
       [&] {
         if (state->requested()) {
           EXPECT_EQ(payload, 7);
         }
       }},
      [&] { ASSERT_EQ(firsts, 1); });
  delete state;
}

}  // namespace
}  // namespace coppice::detail
