// Text as HTML and SVG can hold it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bench::report {

std::string escaped(std::string_view text);

struct column {
  std::string title;
  bool holds_numbers;
};

struct cell {
  std::string text;
  std::string style = "";  // A class of the style sheet.
};

// A table that can be moved sideways where it is wider than its page. The first cell of a row says what the row is.
class table {
 public:
  table(std::string title, std::vector<column> columns);
  void add(const std::vector<cell>& row);
  std::size_t rows() const { return count_; }
  // Nothing, if it has no row.
  std::string html() const;

 private:
  std::string title_;
  std::vector<column> columns_;
  std::string rows_;
  std::size_t count_ = 0;
};

// Shown when it is asked for. `content` is markup.
std::string details(const std::string& summary, const std::string& content);

}  // namespace bench::report
