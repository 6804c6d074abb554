#include <coppice/detail/racing.h>
#include <coppice/error.h>
#include <coppice/testing.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace coppice::detail {
namespace {

error_entry failure(const char* text) {
  return error_entry(std::make_exception_ptr(std::runtime_error(text)));
}

TEST(Racing, TheFirstValueWins) {
  race_state race(false, 3);
  EXPECT_TRUE(race.ended(1, racer_end::value, {}, reason_access::none()));
  EXPECT_FALSE(race.ended(0, racer_end::value, {}, reason_access::none()));
  EXPECT_TRUE(race.won());
  EXPECT_EQ(race.winner(), 1u);
}

TEST(Racing, AFailureDecidesUnlessASuccessIsWanted) {
  test_runtime rt;
  rt.block_on([] {
    race_state any(false, 2);
    EXPECT_FALSE(any.ended(0, racer_end::failure, failure("first"), reason_access::none()));
    EXPECT_FALSE(any.ended(1, racer_end::value, {}, reason_access::none()));
    EXPECT_THROW(any.throw_end(), std::runtime_error);
    race_state success(true, 2);
    EXPECT_FALSE(success.ended(0, racer_end::failure, failure("first"), reason_access::none()));
    EXPECT_TRUE(success.ended(1, racer_end::value, {}, reason_access::none()));
    EXPECT_EQ(success.take_errors().size(), 1u);
  });
}

TEST(Racing, OneThatIsCancelledCountsOnlyIfAllAre) {
  test_runtime rt;
  rt.block_on([] {
    race_state race(false, 2);
    const cancel_reason why("enough");
    EXPECT_FALSE(race.ended(0, racer_end::cancelled, {}, why));
    EXPECT_FALSE(race.ended(1, racer_end::cancelled, {}, why));
    EXPECT_THROW(race.throw_end(), task_cancelled);
  });
  EXPECT_THROW(require_racers(0, "race"), usage_error);
}

}  // namespace
}  // namespace coppice::detail
