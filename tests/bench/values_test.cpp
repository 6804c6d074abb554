// What names of values say.
#include "bench/report/values.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace bench::report {
namespace {

TEST(Value, HasTheUnitAndDirectionItsNameSays) {
  EXPECT_EQ(kind_of(time_value).when, better::less);
  EXPECT_EQ(kind_of("ns_p99_9").in, unit::ns);
  EXPECT_EQ(kind_of("observed_p999_ns").in, unit::ns);
  EXPECT_EQ(kind_of("bytes_each").in, unit::bytes);
  EXPECT_EQ(kind_of("peak_rss_kib").when, better::less);
  EXPECT_EQ(kind_of("items_per_second").when, better::more);
  EXPECT_EQ(kind_of("percent_within_100us").when, better::more);
  EXPECT_EQ(kind_of("percent_elsewhere").when, better::neither);
  EXPECT_EQ(kind_of("samples").when, better::neither);
}

TEST(Value, IsShownInAUnitThatLeavesThreeDigits) {
  EXPECT_EQ(text_of(0.45, unit::ns), "0.45 ns");
  EXPECT_EQ(text_of(80'300, unit::ns), "80.3 us");
  EXPECT_EQ(text_of(999.9, unit::ns), "1 us");
  EXPECT_EQ(text_of(-1'500, unit::ns), "-1.5 us");
  EXPECT_EQ(text_of(3e13, unit::ns), "30000 s");
  EXPECT_EQ(text_of(1024, unit::kib), "1 MiB");
  EXPECT_EQ(text_of(0, unit::plain), "0");
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN(), unit::ns), "-");
}

TEST(Percentile, IsReadFromBothFormsOfNames) {
  EXPECT_DOUBLE_EQ(percentile_of("ns_p99_9")->percent, 99.9);
  EXPECT_DOUBLE_EQ(percentile_of("observed_p999_ns")->percent, 99.9);
  EXPECT_DOUBLE_EQ(percentile_of("ns_p50")->percent, 50);
  EXPECT_DOUBLE_EQ(percentile_of("observed_max_ns")->percent, 100);
  EXPECT_EQ(percentile_of("cancel_returns_p50_ns")->of, "cancel_returns");
  EXPECT_EQ(percentile_of("ns_p99_9_worst")->of, "worst");
}

TEST(Percentile, IsNotWhatHasNoRank) {
  for (const char* other :
       {"ns_push", "ns_plain", "join_ns", "samples", "percent_within_100us", ""}) {
    EXPECT_FALSE(percentile_of(other).has_value()) << other;
  }
}

TEST(Spread, IsThatOfTheRepetitions) {
  const std::array<double, 4> repetitions = {4, 1, 3, 10};
  const spread found = spread_of(repetitions).value();
  EXPECT_EQ(found.median, 3.5);
  EXPECT_EQ(found.width(), 9);
  EXPECT_EQ(found.count, 4U);
  EXPECT_FALSE(spread_of(std::span<const double>()).has_value());
}

}  // namespace
}  // namespace bench::report
