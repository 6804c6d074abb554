// What means something in HTML and SVG, in other words.
#include "bench/report/markup.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <utility>

namespace bench::report {
namespace {

// So that a long name of a row breaks where it has parts.
std::string breakable(const std::string& text) {
  return absl::StrReplaceAll(escaped(text), {{"/", "/<wbr>"}});
}

}  // namespace

std::string escaped(std::string_view text) {
  return absl::StrReplaceAll(
      absl::string_view(text.data(), text.size()),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

table::table(std::string title, std::vector<column> columns)
    : title_(std::move(title)), columns_(std::move(columns)) {}

void table::add(const std::vector<cell>& row) {
  ++count_;
  rows_ += "<tr>";
  for (std::size_t i = 0; i != row.size(); ++i) {
    const char* const tag = i == 0 ? "th" : "td";
    const char* const kind = i == 0 ? " scope=\"row\"" : "";
    absl::StrAppend(&rows_, "<", tag, kind, " class=\"", columns_[i].holds_numbers ? "n" : "",
                    i == 0 ? "name" : "", row[i].style.empty() ? "" : " ", row[i].style, "\">",
                    breakable(row[i].text), "</", tag, ">");
  }
  rows_ += "</tr>\n";
}

std::string table::html() const {
  if (count_ == 0) {
    return "";
  }
  std::string heads;
  for (const column& one : columns_) {
    absl::StrAppend(&heads, "<th scope=\"col\"", one.holds_numbers ? " class=\"n\"" : "", ">",
                    escaped(one.title), "</th>");
  }
  // To be moved by keys it has to take the focus.
  return absl::StrCat("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"",
                      escaped(title_), "\"><table><caption>", escaped(title_),
                      "</caption><thead><tr>", heads, "</tr></thead>\n<tbody>\n", rows_,
                      "</tbody></table></div>\n");
}

std::string details(const std::string& summary, const std::string& content) {
  return absl::StrCat("<details><summary>", escaped(summary), "</summary>\n", content,
                      "</details>\n");
}

}  // namespace bench::report
