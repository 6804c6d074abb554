// What stands on the page, and in the summary.
#include "bench/report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report/chart.h"
#include "bench/report/summary.h"
#include "tests/bench/synthetic.h"

namespace bench::report {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string counters(double ns) {
  std::string all;
  for (const char* name :
       {"cancel_returns_p50_ns", "cancel_returns_p999_ns", "observed_p50_ns", "observed_p99_ns",
        "observed_p999_ns", "observed_max_ns", "join_p50_ns"}) {
    all += std::string(all.empty() ? "" : ", ") + '"' + name + "\": " + std::to_string(ns);
    ns *= 1.5;
  }
  return all;
}

// Trees of several sizes, by two systems.
results fan_outs() {
  std::vector<std::string> rows;
  for (const char* system : {"coppice", "std_stop_token"}) {
    double ns = 10'000;
    for (const char* size : {"1000", "10000", "100000"}) {
      const std::string name =
          std::string("fanout/") + system + "/flat/" + size + "/event/spinning/worker/ordered/idle";
      rows.push_back(repetition(name, ns, counters(ns)));
      rows.push_back(repetition(name, ns * 1.1, counters(ns * 1.1)));
      ns *= 10;
    }
  }
  rows.push_back(failure("fanout/go/flat/1000/event/spinning/worker/ordered/idle", "no go here"));
  return results_of(
      rows,
      {R"({"suite": "fanout", "what": "p99.9", "at_most": true, "limit": 80, "unit": "us", "measured": 99})",
       R"({"suite": "fanout", "what": "join", "at_most": true, "limit": 9, "unit": "ms", "measured": null})"});
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++found;
  }
  return found;
}

TEST(Page, HasBarsPercentilesAndGrowth) {
  const std::string html = page(fan_outs(), nullptr);
  EXPECT_THAT(
      html, AllOf(HasSubstr("Beside other systems"), HasSubstr("Percentiles"), HasSubstr("Growth"),
                  HasSubstr("exponent 1.00"), HasSubstr(">p99.9<"), HasSubstr("class=\"bar k0\"")));
}

TEST(Page, SaysWhereWeLose) {
  const std::string html = page(fan_outs(), nullptr);
  const std::string box = html.substr(html.find("Where we lose"), html.find("id=\"targets\""));
  EXPECT_THAT(box, AllOf(HasSubstr("99 us"), HasSubstr("no go here")));
}

TEST(Page, NeedsNothingFromANetwork) {
  const std::string html = page(fan_outs(), nullptr);
  EXPECT_THAT(html, AllOf(Not(HasSubstr("http")), Not(HasSubstr("src=")), Not(HasSubstr("url(")),
                          Not(HasSubstr("<script")), Not(HasSubstr("@import"))));
}

TEST(Page, NamesEachPictureAndHasItsNumbersBesideIt) {
  const std::string html = page(fan_outs(), nullptr);
  const std::size_t pictures = count(html, "role=\"img\"");
  EXPECT_GT(pictures, 0U);
  EXPECT_EQ(count(html, "<title id="), pictures);
  EXPECT_EQ(count(html, "The numbers</summary>"), pictures);
}

TEST(Page, EscapesWhateverItShows) {
  const std::string evil = R"(<script>'\"&)";
  const results all =
      results_of({repetition("s/coppice/" + evil, 2), repetition("s/" + evil + "/" + evil, 1),
                  repetition("s/" + evil, 1, "\"" + evil + "\": 7"), failure("s/bad", evil)},
                 {R"({"suite": ")" + evil + R"(", "what": ")" + evil +
                  R"(", "at_most": true, "limit": 2, "unit": ")" + evil + R"(", "measured": 3})"});
  results before = all;
  before.context = {{evil, evil}};
  before.rows.push_back({evil, {{time_value, {1, 2}}}, ""});
  const changes since = compare(before, all);
  const std::string html = page(all, &since);
  EXPECT_THAT(html, AllOf(HasSubstr("&lt;script&gt;&#39;&quot;&amp;"), Not(HasSubstr("<script"))));
}

TEST(Page, HasWhatChanged) {
  const results all = results_of({{"s/x", {100, 101}}});
  const changes since = compare(results_of({{"s/x", {50, 51}}}), all);
  EXPECT_THAT(page(all, &since), AllOf(HasSubstr("What changed"), HasSubstr("+99.0 %")));
  EXPECT_THAT(page(all, nullptr), Not(HasSubstr("What changed")));
}

TEST(Page, OfRowsThatAllFailedIsStillAPage) {
  EXPECT_THAT(page(results_of({failure("s/x", "wrong sum")}), nullptr),
              AllOf(HasSubstr("wrong sum"), HasSubstr("</html>")));
}

TEST(Summary, HasTheVerdicts) {
  EXPECT_THAT(summary(fan_outs(), nullptr),
              AllOf(HasSubstr("targets: 0 met, 1 missed, 1 not measured, 0 void"),
                    HasSubstr("in 0 of 9 comparisons"), HasSubstr("no go here"),
                    HasSubstr(" 1.00  fanout/*/flat/*/event/spinning/worker/ordered/idle")));
}

TEST(Charts, HaveAPlaceForEveryBar) {
  const std::vector<bar> bars = {{"nothing", 0, {0, 0, 0, 1}, ""},
                                 {"negative", 1, {-5, -6, -4, 2}, ""},
                                 {"huge", 2, {1e15, 1e15, 1e15, 2}, "1x"}};
  const std::string svg = bar_chart({"f1", "title", "text"}, bars, unit::ns);
  EXPECT_EQ(count(svg, "<rect class=\"bar"), 3U);
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

TEST(Charts, DrawCurvesThatAreFlat) {
  const std::vector<curve> curves = {{0, {{1, 5}, {2, 5}}}};
  const std::vector<tick> ticks = {{1, "p90"}, {2, "p99"}};
  const std::string svg = curve_chart({"f1", "t", "d"}, curves, ticks, "percentile", unit::ns);
  EXPECT_THAT(svg, AllOf(HasSubstr("class=\"curve k0\""), Not(HasSubstr("nan"))));
}

}  // namespace
}  // namespace bench::report
