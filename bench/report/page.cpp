// The page, from its verdicts down to every row.
#include "bench/report/page.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "bench/report/figures.h"
#include "bench/report/losses.h"
#include "bench/report/markup.h"
#include "bench/report/style.h"
#include "bench/report/values.h"

namespace bench::report {
namespace {

// The rest is shown when it is asked for.
constexpr std::size_t figures_at_once = 6;
constexpr std::size_t rows_at_once = 12;

std::string question_of(const std::string& suite) {
  static const std::map<std::string, std::string> known = {
      {"executor",
       "What does the executor's machinery cost, and how long does anything wait for it?"},
      {"fanout", "How soon is everything below a cancelled scope gone, here and elsewhere?"},
      {"forkjoin", "What does a fork and its join cost, in time and memory?"},
      {"poll", "What does it cost to ask whether one is cancelled, and how soon is a cancel seen?"},
      {"supervision",
       "What does supervision cost, and how soon is everything below a cancelled scope gone?"},
      {"unwind", "What does a stop cost beside an exception, and what do many failures cost?"},
      {"waiting", "What does it cost to wait, and to be let go?"}};
  const auto found = known.find(suite);
  return found == known.end() ? "" : found->second;
}

std::string paragraph(const std::string& text, const char* style = "") {
  return absl::StrCat("<p class=\"", style, "\">", escaped(text), "</p>\n");
}

std::string heading(const std::string& text, const std::string& id) {
  return absl::StrCat("<h2 id=\"", escaped(id), "\">", escaped(text), "</h2>\n");
}

std::string wanted(const target& of) {
  return absl::StrFormat("%s %g %s", of.at_most ? "at most" : "at least", of.limit, of.unit);
}

std::string measured(const target& of) {
  return fate_of(of) == fate::not_measured ? "-" : absl::StrFormat("%.4g %s", of.measured, of.unit);
}

std::string times_missed(const target& of) {
  const double factor = of.at_most ? of.measured / of.limit : of.limit / of.measured;
  return factor > 0 ? absl::StrFormat("%.2fx", factor) : "-";
}

// What was added last is shown when it is asked for.
std::string folded(const table& first, const table& rest) {
  return first.html() +
         (rest.rows() == 0 ? "" : details(absl::StrFormat("%d more", rest.rows()), rest.html()));
}

std::string lost_table(const std::vector<loss>& losses) {
  table lost("Rows in which another system is faster", {{"row", false},
                                                        {"value", false},
                                                        {"coppice", true},
                                                        {"the best other", true},
                                                        {"", false},
                                                        {"slower", true},
                                                        {"repetitions", false}});
  table rest = lost;
  for (const loss& one : losses) {
    const unit in = kind_of(one.value).in;
    (lost.rows() < rows_at_once ? lost : rest)
        .add({{one.title},
              {one.value},
              {text_of(one.ours, in)},
              {text_of(one.theirs, in)},
              {one.peer},
              {absl::StrFormat("%.2fx", one.factor())},
              {one.within_noise ? "overlap, or too few to tell" : "lie apart"}});
  }
  return folded(lost, rest);
}

std::string where_we_lose(const results& all) {
  const standings now = compare_with_peers(all);
  table missed("Targets that were missed", {{"target", false},
                                            {"suite", false},
                                            {"wanted", true},
                                            {"measured", true},
                                            {"off by", true}});
  for (const target& one : all.targets) {
    if (fate_of(one) == fate::missed) {
      missed.add({{one.what}, {one.suite}, {wanted(one)}, {measured(one)}, {times_missed(one)}});
    }
  }
  std::string body = missed.html();
  for (const target& one : all.targets) {
    if (one.condition && one.missed()) {
      body +=
          paragraph(absl::StrFormat("The targets of %s are void, for a condition was missed: %s, "
                                    "%s, is %s.",
                                    one.suite, one.what, wanted(one), measured(one)),
                    "missed");
    }
  }
  if (missed.rows() == 0) {
    body += paragraph(all.targets.empty() ? "No suite that ran has targets."
                                          : "No target that was measured was missed.");
  }
  if (now.compared == 0) {
    body += paragraph("No other system was measured beside coppice.");
  } else {
    body += paragraph(absl::StrFormat("In %d of %d comparisons another system is faster.",
                                      now.losses.size(), now.compared));
    body += lost_table(now.losses);
  }
  table failed("Rows that failed", {{"row", false}, {"why", false}});
  for (const row& one : all.rows) {
    if (!one.failure.empty()) {
      failed.add({{one.name}, {one.failure, "failed"}});
    }
  }
  body += failed.html();
  return absl::StrCat("<section class=\"box\" aria-labelledby=\"lose\">",
                      heading("Where we lose", "lose"), body, "</section>\n");
}

std::string targets(const results& all) {
  if (all.targets.empty()) {
    return "";
  }
  table lines(
      "Medians over the repetitions",
      {{"target", false}, {"suite", false}, {"wanted", true}, {"measured", true}, {"", false}});
  for (const target& one : all.targets) {
    const fate now = fate_of(one);
    const bool decided = now == fate::met || now == fate::missed;
    lines.add({{one.what},
               {one.suite},
               {wanted(one)},
               {measured(one)},
               {word_for(now), decided ? word_for(now) : ""}});
  }
  return heading("Targets", "targets") + lines.html();
}

std::string changes_table(const std::string& title, const std::vector<change>& some) {
  table lines(title, {{"row", false},
                      {"value", false},
                      {"before", true},
                      {"now", true},
                      {"change", true},
                      {"noise", true},
                      {"", false}});
  table rest = lines;
  for (const change& one : some) {
    const unit in = kind_of(one.value).in;
    (lines.rows() < rows_at_once ? lines : rest)
        .add({{one.row},
              {one.value},
              {text_of(one.before, in)},
              {text_of(one.after, in)},
              {absl::StrFormat("%+.1f %%", one.percent())},
              {absl::StrFormat("%.1f %%", one.noise_percent())},
              {word_for(one.what), one.what == verdict::better  ? "better"
                                   : one.what == verdict::worse ? "worse"
                                                                : ""}});
  }
  return folded(lines, rest);
}

std::string names_of_rows(const std::string& title, const std::vector<std::string>& names) {
  table lines(title, {{"row", false}});
  for (const std::string& name : names) {
    lines.add({{name}});
  }
  return names.empty() ? "" : details(absl::StrFormat("%s: %d", title, names.size()), lines.html());
}

std::string what_changed(const changes& since) {
  std::string text = heading("What changed", "changes");
  text += paragraph(
      absl::StrFormat("Of %d values of coppice %d are better, %d worse, %d within the noise, and "
                      "%d cannot be judged.",
                      since.all.size(), since.count(verdict::better), since.count(verdict::worse),
                      since.count(verdict::noise), since.count(verdict::unknown)));
  const std::string drift = since.drift == 0
                                ? ""
                                : absl::StrFormat(
                                      "; and at least %.1f%%, for 19 of 20 values of other "
                                      "systems changed by so much at most",
                                      100 * since.drift);
  text += paragraph(
      absl::StrCat(
          "The noise of a value is how far its repetitions lie apart, in the run where they "
          "do more, and at least as far as is usual in its suite",
          drift,
          ". A change counts if the repetitions of the two runs do not overlap and the "
          "medians are further apart than the noise."),
      "faint");
  if (!since.contexts.empty()) {
    table lines("What else differs between the two runs",
                {{"", false}, {"before", false}, {"now", false}});
    for (const auto& [key, before, after] : since.contexts) {
      lines.add({{key}, {before}, {after}});
    }
    text += lines.html();
  }
  table fates("Targets whose fate is another", {{"target", false},
                                                {"suite", false},
                                                {"wanted", true},
                                                {"before", true},
                                                {"", false},
                                                {"now", true},
                                                {"", false}});
  for (const auto& [now, then] : since.targets) {
    fates.add({{now.what},
               {now.suite},
               {wanted(now)},
               {measured(then)},
               {word_for(fate_of(then))},
               {measured(now)},
               {word_for(fate_of(now))}});
  }
  text += fates.html();
  for (const verdict of : {verdict::worse, verdict::better}) {
    if (since.count(of) != 0) {
      text += changes_table(absl::StrCat("Values that are ", word_for(of)), since.with(of));
    }
  }
  for (const verdict of : {verdict::noise, verdict::unknown}) {
    if (since.count(of) != 0) {
      text += details(absl::StrFormat("%d that are %s", since.count(of), word_for(of)),
                      changes_table(word_for(of), since.with(of)));
    }
  }
  return text + names_of_rows("Rows that are new", since.only_after) +
         names_of_rows("Rows that are gone", since.only_before);
}

std::string gallery(const std::string& title, std::span<const std::string> some) {
  if (some.empty()) {
    return "";
  }
  const std::size_t shown = std::min(some.size(), figures_at_once);
  std::string text = absl::StrCat("<h3>", escaped(title), "</h3>\n<div class=\"charts\">\n",
                                  absl::StrJoin(some.first(shown), ""), "</div>\n");
  if (shown != some.size()) {
    text += details(absl::StrFormat("%d more", some.size() - shown),
                    absl::StrCat("<div class=\"charts\">\n", absl::StrJoin(some.subspan(shown), ""),
                                 "</div>\n"));
  }
  return text;
}

std::string all_rows(const results& all, const std::string& suite) {
  table lines("Medians, with the least and the most of the repetitions for the time",
              {{"row", false},
               {"time", true},
               {"least", true},
               {"most", true},
               {"of", true},
               {"other values", false}});
  for (const row& one : all.rows) {
    if (one.suite() != suite) {
      continue;
    }
    const auto time = spread_of(one, time_value);
    if (!time) {
      lines.add({{one.name}, {"-"}, {"-"}, {"-"}, {"0"}, {one.failure, "failed"}});
      continue;
    }
    std::string others = one.failure;
    for (const auto& [value, repetitions] : one.values) {
      if (value != time_value) {
        absl::StrAppend(&others, others.empty() ? "" : ", ", value, " ",
                        text_of(spread_of(repetitions)->median, kind_of(value).in));
      }
    }
    lines.add({{one.name},
               {text_of(time->median, unit::ns)},
               {text_of(time->least, unit::ns)},
               {text_of(time->most, unit::ns)},
               {absl::StrCat(time->count)},
               {others, one.failure.empty() ? "" : "failed"}});
  }
  return details("Every row", lines.html());
}

std::string suite_section(const results& all, const std::string& suite, figure_maker& maker) {
  const figures made = maker.of(suite);
  const std::string question = question_of(suite);
  return absl::StrCat(heading(suite, "suite-" + suite),
                      question.empty() ? "" : paragraph(question, "faint"),
                      gallery("Beside other systems", made.systems),
                      gallery("Percentiles", made.distributions), gallery("Growth", made.sizes),
                      gallery("In other circumstances", made.circumstances), all_rows(all, suite));
}

std::string machine(const results& all) {
  table lines("Where and with what this was measured", {{"", false}, {"", false}});
  for (const auto& [key, value] : all.context) {
    if (key != "executable" && key != "library_build_type") {
      lines.add({{key}, {value}});
    }
  }
  return heading("Machine, compiler, commit, environment", "machine") + lines.html();
}

std::string navigation(const results& all, bool compared) {
  std::string items;
  const auto add = [&](const std::string& id, const std::string& text) {
    absl::StrAppend(&items, "<li><a href=\"#", escaped(id), "\">", escaped(text), "</a></li>");
  };
  if (compared) {
    add("changes", "what changed");
  }
  if (!all.targets.empty()) {
    add("targets", "targets");
  }
  for (const std::string& suite : all.suites()) {
    add("suite-" + suite, suite);
  }
  add("machine", "machine");
  return absl::StrCat("<nav aria-label=\"Sections\"><ul>", items, "</ul></nav>\n");
}

}  // namespace

std::string page(const results& all, const changes* since) {
  std::string text = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>coppice: the benches</title>\n<style>",
      style_sheet, "</style>\n</head>\n<body>\n<header>\n<h1>coppice: the benches</h1>\n",
      paragraph(absl::StrFormat("%s; commit %s; %s, %s; %s", all.context_of("date"),
                                all.context_of("commit"), all.context_of("compiler"),
                                all.context_of("flags"), all.context_of("cpu")),
                "faint"));
  if (all.context_of("quick") != "no") {
    text += paragraph(
        "Measured with --quick, at least in part: smaller and fewer, so these figures say little.",
        "missed");
  }
  text += navigation(all, since != nullptr) + "</header>\n<main>\n" + where_we_lose(all);
  if (since != nullptr) {
    text += what_changed(*since);
  }
  text += targets(all);
  figure_maker maker(all);
  for (const std::string& suite : all.suites()) {
    text += suite_section(all, suite, maker);
  }
  return text + machine(all) + "</main>\n</body>\n</html>\n";
}

}  // namespace bench::report
