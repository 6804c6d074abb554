// Random trees of supervisors that restart against a model of Erlang/OTP's rules.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>

#include "tests/support/load.h"
#include "tests/support/restart_generator.h"
#include "tests/support/restart_model.h"
#include "tests/support/restart_run.h"
#include "tests/support/restart_text.h"
#include "tests/support/sanitizers.h"

namespace coppice::testing_support {
namespace {

// RESTART_SEED, a variable of the environment, repeats one program.
std::optional<unsigned> given_seed() {
  const char* text = std::getenv("RESTART_SEED");
  if (text == nullptr) {
    return std::nullopt;
  }
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

struct both_histories {
  bool defined = false;  // Else what happens depends on an order that nobody promises.
  restart_history expected = {};
  restart_history seen = {};
};

both_histories run_both(const restart_program& program, unsigned seed, unsigned workers) {
  restart_model model(program);
  both_histories both;
  both.expected = model.run();
  both.defined = !model.ambiguous();
  if (both.defined) {
    both.seen = restart_run(program).run(workers, seed);
    both.seen.normalize(model.crowded());
  }
  return both;
}

enum class verdict { agree, differ, undefined };

verdict compare(unsigned seed, unsigned workers) {
  const restart_program program = restart_generator(seed).make();
  const both_histories both = run_both(program, seed, workers);
  if (!both.defined) {
    return verdict::undefined;
  }
  if (both.seen == both.expected) {
    return verdict::agree;
  }
  std::printf("RESTART_SEED=%u with %u workers\n", seed, workers);
  std::fflush(stdout);
  const restart_program least = shrunk(program, [&](const restart_program& less) {
    const both_histories again = run_both(less, seed, workers);
    return again.defined && again.seen != again.expected;
  });
  const both_histories last = run_both(least, seed, workers);
  std::printf("Without what changes nothing:\n%s", text_of(least).c_str());
  EXPECT_EQ(text_of(last.expected), text_of(last.seen)) << "The model's is the first.";
  EXPECT_EQ(both.expected.outcome, both.seen.outcome);
  return verdict::differ;
}

class RandomRestarts : public testing::TestWithParam<unsigned> {};

INSTANTIATE_TEST_SUITE_P(Workers, RandomRestarts, testing::Values(1u, 2u, 4u));

TEST_P(RandomRestarts, FollowTheModel) {
  if (const std::optional<unsigned> given = given_seed()) {
    EXPECT_NE(compare(*given, GetParam()), verdict::differ);
    return;
  }
  // A hundred thousand among all numbers of workers; what watches threads takes ten times as long for each.
  constexpr long all_rounds = under_thread_sanitizer ? 10'000 : 100'000;
  std::random_device source;
  for (long left = rounds(all_rounds / 3); left != 0;) {
    const verdict said = compare(source(), GetParam());
    if (said == verdict::differ) {
      FAIL();  // One is enough to look at.
    }
    left -= said == verdict::agree ? 1 : 0;
  }
}

}  // namespace
}  // namespace coppice::testing_support
