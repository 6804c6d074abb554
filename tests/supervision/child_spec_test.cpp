// What a child's spec says, and what no supervisor takes.
#include <coppice/child_spec.h>
#include <coppice/supervisor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/specified.h"

namespace coppice {
namespace {

using namespace std::chrono_literals;

using detail::spec_access;
using testing::HasSubstr;
using testing_support::stage;
using testing_support::texts;

task<> nothing() {
  co_return;
}

TEST(ChildSpec, IsPermanentAWorkerAndHasFiveSeconds) {
  const child_spec spec("a", nothing);
  EXPECT_EQ(spec.id(), "a");
  const detail::child_terms& terms = spec_access::terms(spec);
  EXPECT_EQ(terms.restart, restart_type::permanent);
  EXPECT_EQ(terms.type, child_type::worker);
  EXPECT_EQ(terms.grace(), 5s);
  EXPECT_FALSE(terms.significant);
  EXPECT_EQ(terms.backoff.initial, 0s);
}

TEST(ChildSpec, OfASupervisorWaitsForEverUnlessItSaysOtherwise) {
  child_spec spec("a", nothing);
  spec.type(child_type::supervisor);
  EXPECT_EQ(spec_access::terms(spec).grace(), forever);
  spec.shutdown(1s);
  EXPECT_EQ(spec_access::terms(spec).grace(), 1s);
}

TEST(ChildSpec, IsSaidInOneExpression) {
  const child_spec spec = child_spec("a", [](start_gate&) -> task<> { co_return; })
                              .restart(restart_type::transient)
                              .shutdown(10s)
                              .type(child_type::worker)
                              .significant()
                              .backoff({.initial = 100ms});
  const detail::child_terms& terms = spec_access::terms(spec);
  EXPECT_EQ(terms.restart, restart_type::transient);
  EXPECT_EQ(terms.grace(), 10s);
  EXPECT_TRUE(terms.significant);
  EXPECT_EQ(terms.backoff.initial, 100ms);
  EXPECT_TRUE(terms.gated_start != nullptr && terms.start == nullptr);
}

TEST(ChildSpec, KnowsWhereItWasWritten) {
  const child_spec spec("a", nothing);
  EXPECT_THAT(spec_access::terms(spec).site.file, HasSubstr("child_spec_test.cpp"));
}

TEST(ChildSpec, OptionsAreSafeInAwaitedCalls) {
  EXPECT_TRUE(std::is_aggregate_v<backoff_policy>);
  EXPECT_TRUE(std::is_trivially_destructible_v<backoff_policy>);
  EXPECT_TRUE(std::is_aggregate_v<supervisor_options>);
  EXPECT_TRUE(std::is_trivially_destructible_v<supervisor_options>);
}

// ---- Refused before anything starts -------------------------------------------------------------

class RefusedSpec : public testing_support::tree_test {
 protected:
  // What a supervisor says of a list with this one in it, though the first could start.
  static std::string refusal(child_spec bad, supervisor_options options = {}) {
    stage on;
    std::string said;
    test_runtime rt(workers());
    rt.block_on([&]() -> task<> {
      const std::vector<child_spec> specs = {on.child("first"), std::move(bad)};
      const auto body = [&](supervisor&) -> task<> {
        ADD_FAILURE() << "the body runs";
        co_return;
      };
      try {
        co_await with_supervisor(options, specs, body);
      } catch (const usage_error& error) {
        said = error.what();
      }
    });
    EXPECT_EQ(on.take(), texts()) << "something has started";
    return said;
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, RefusedSpec, testing::Values(1u, 2u, 4u));

TEST_P(RefusedSpec, AnEmptyId) {
  EXPECT_THAT(refusal(child_spec("", nothing)), HasSubstr("id is empty"));
}

TEST_P(RefusedSpec, AnIdThatIsTaken) {
  EXPECT_THAT(refusal(child_spec("first", nothing)), HasSubstr("\"first\""));
}

TEST_P(RefusedSpec, NothingToStart) {
  EXPECT_THAT(refusal(child_spec("a", std::function<task<>()>())), HasSubstr("start"));
  EXPECT_THAT(refusal(child_spec("a", std::function<task<>(start_gate&)>())), HasSubstr("start"));
}

TEST_P(RefusedSpec, ASignificantPermanentChild) {
  EXPECT_THAT(refusal(child_spec("a", nothing).significant(),
                      {.auto_shutdown = shutdown_trigger::any_significant}),
              HasSubstr("permanent"));
}

TEST_P(RefusedSpec, ASignificantChildWhereNothingShutsDown) {
  EXPECT_THAT(refusal(child_spec("a", nothing).restart(restart_type::temporary).significant()),
              HasSubstr("auto_shutdown"));
}

TEST_P(RefusedSpec, TimesBelowZero) {
  EXPECT_THAT(refusal(child_spec("a", nothing).shutdown(-1ns)), HasSubstr("below zero"));
  EXPECT_THAT(refusal(child_spec("a", nothing).backoff({.initial = -1ns})),
              HasSubstr("below zero"));
  EXPECT_THAT(refusal(child_spec("a", nothing).backoff({.max = -1ns})), HasSubstr("below zero"));
  EXPECT_THAT(refusal(child_spec("a", nothing).backoff({.reset_after = -1ns})),
              HasSubstr("below zero"));
}

TEST_P(RefusedSpec, ABackoffThatShrinksOrIsNoNumber) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(child_spec("a", nothing).backoff({.factor = 0.5})), HasSubstr("factor"));
  EXPECT_THAT(refusal(child_spec("a", nothing).backoff({.factor = nan})), HasSubstr("factor"));
  EXPECT_THAT(refusal(child_spec("a", nothing).backoff({.jitter = 1.5})), HasSubstr("jitter"));
  EXPECT_THAT(refusal(child_spec("a", nothing).backoff({.jitter = nan})), HasSubstr("jitter"));
}

TEST_P(RefusedSpec, APeriodThatIsNone) {
  EXPECT_THAT(refusal(child_spec("a", nothing), {.period = 0s}), HasSubstr("period"));
}

}  // namespace
}  // namespace coppice
