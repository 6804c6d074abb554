// Reading and joining Google Benchmark's JSON, good and bad.
#include "bench/report/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "tests/bench/synthetic.h"
#include "tests/support/json.h"

namespace bench::report {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string complaint_about(const std::string& text) {
  try {
    parse({"bad.json", text});
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

TEST(Results, HoldEachRepetitionUnderTheNameTheSuiteGave) {
  const results all = results_of({repetition("s/coppice/x/1", 5, R"("ns_p99": 7)"),
                                  repetition("s/coppice/x/1", 6, R"("ns_p99": 8)")});
  ASSERT_EQ(all.rows.size(), 1U);
  EXPECT_EQ(all.rows[0].name, "s/coppice/x/1");
  EXPECT_EQ(all.rows[0].suite(), "s");
  EXPECT_THAT(all.rows[0].values.at(time_value), ElementsAre(5, 6));
  EXPECT_THAT(all.rows[0].values.at("ns_p99"), ElementsAre(7, 8));
}

TEST(Results, CountTimeInNanoseconds) {
  const results all = results_of(
      {R"({"name": "s/x", "run_type": "iteration", "real_time": 1.5, "time_unit": "ms"})"});
  EXPECT_THAT(all.rows[0].values.at(time_value), ElementsAre(1.5e6));
}

TEST(Results, LeaveAggregatesOut) {
  const results all = results_of(
      {repetition("s/x", 5),
       R"({"name": "s/x_median", "run_name": "s/x", "run_type": "aggregate", "real_time": 5, "time_unit": "ns"})"});
  EXPECT_THAT(all.rows[0].values.at(time_value), ElementsAre(5));
}

TEST(Results, KnowWhichRowsFailed) {
  EXPECT_EQ(results_of({failure("s/x", "wrong sum")}).rows[0].failure, "wrong sum");
}

TEST(Results, KnowTargetsThatWereNotMeasured) {
  const results all = results_of(
      {repetition("s/x", 5)},
      {R"({"suite": "s", "what": "w", "at_most": true, "limit": 2, "unit": "ns", "measured": null})"});
  EXPECT_EQ(fate_of(all.targets[0]), fate::not_measured);
}

TEST(Results, VoidTheTargetsOfASuiteOfWhichAConditionWasMissed) {
  const auto line = [](const char* suite, const char* rest) {
    return R"({"suite": ")" + std::string(suite) +
           R"(", "what": "w", "at_most": true, "limit": 2, "unit": "ns", )" + rest + '}';
  };
  const results all = results_of(
      {repetition("s/x", 5)},
      {line("s", R"("measured": 1)"), line("s", R"("measured": 3, "condition": true)"),
       line("s", R"("measured": 1, "condition": true)"), line("other", R"("measured": 1)")});
  EXPECT_EQ(fate_of(all.targets[0]), fate::is_void);
  EXPECT_EQ(fate_of(all.targets[1]), fate::missed);
  EXPECT_EQ(fate_of(all.targets[2]), fate::met);
  EXPECT_EQ(fate_of(all.targets[3]), fate::met);
}

TEST(Results, HaveNoControlCharacters) {
  EXPECT_EQ(results_of({repetition(R"(s/\u001b[31m)", 1)}).rows[0].name, "s/?[31m");
}

TEST(BadResults, AnEmptyFileIsNamed) {
  EXPECT_THAT(complaint_about(" \n"), AllOf(StartsWith("bad.json: "), HasSubstr("is empty")));
}

TEST(BadResults, ATruncatedFileEndsInTheMiddle) {
  const std::string whole = file_of({repetition("s/x", 5)});
  for (std::size_t size = 1; size != whole.size(); ++size) {
    ASSERT_THAT(complaint_about(whole.substr(0, size)), HasSubstr("ends in the middle"))
        << whole.substr(0, size);
  }
}

TEST(BadResults, WhatIsNoJsonHasAPlace) {
  EXPECT_EQ(complaint_about("{\n  \"context\": NaN}"),
            "bad.json: is no JSON, at line 2, column 14");
}

TEST(BadResults, OtherJsonIsRefused) {
  for (const char* other : {"[]", "1", "{}", R"({"context": 1, "benchmarks": []})",
                            R"({"context": {}, "benchmarks": {}})"}) {
    EXPECT_THAT(complaint_about(other), HasSubstr("no result of Google Benchmark")) << other;
  }
}

TEST(BadResults, RowsAndTargetsMustBeWhole) {
  EXPECT_THAT(complaint_about(file_of({"{}"})), HasSubstr("without \"name\""));
  EXPECT_THAT(complaint_about(file_of({"7"})), HasSubstr("without \"name\""));
  EXPECT_THAT(complaint_about(file_of({R"({"name": 7})"})),
              HasSubstr("\"name\" is of a wrong type"));
  EXPECT_THAT(complaint_about(file_of({R"({"name": "x", "real_time": 1, "time_unit": "h"})"})),
              HasSubstr("unknown unit of time: h"));
  EXPECT_THAT(complaint_about(file_of({repetition("s/x", 5)}, {"{}"})),
              HasSubstr("without \"suite\""));
}

TEST(BadResults, NoRowsAreNoResults) {
  EXPECT_THAT(complaint_about(file_of({})), HasSubstr("has no row"));
}

TEST(Joined, HaveTheRowsAndTargetsOfAll) {
  const char* target =
      R"({"suite": "b", "what": "w", "at_most": true, "limit": 2, "unit": "ns", "measured": 1})";
  const std::array<source, 2> files = {source{"a.json", file_of({repetition("a/x", 5)})},
                                       source{"b.json", file_of({repetition("b/x", 6)}, {target})}};
  const std::string joined = join(files);
  EXPECT_TRUE(coppice::testing_support::is_json(joined));
  const results all = parse({"joined", joined});
  EXPECT_THAT(all.suites(), ElementsAre("a", "b"));
  EXPECT_EQ(all.targets.size(), 1U);
}

TEST(Joined, SayInWhatTheirContextsDiffer) {
  const std::array<source, 2> files = {
      source{"a.json", file_of({repetition("a/x", 5)}, {}, R"("compiler": "GNU", "date": "1")")},
      source{"b.json", file_of({repetition("b/x", 6)}, {},
                               R"("compiler": "Clang", "date": "2", "go": "1.19")")}};
  const results all = parse({"joined", join(files)});
  EXPECT_EQ(all.context_of("compiler"), "GNU; Clang");
  EXPECT_EQ(all.context_of("date"), "1");
  EXPECT_EQ(all.context_of("go"), "1.19");
}

TEST(Joined, MayNotHaveARowTwice) {
  const std::array<source, 2> files = {source{"a.json", file_of({repetition("a/x", 5)})},
                                       source{"b.json", file_of({repetition("a/x", 6)})}};
  EXPECT_THROW(join(files), std::runtime_error);
}

}  // namespace
}  // namespace bench::report
