// Charts as SVG: bars beside each other, and curves over two axes.
//
// Colours, widths and dashes are those of the page's style sheet, by class: "k0" is coppice. A chart is as wide as half of
// a page or the whole of a telephone, so that its text can be read on both.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/report/values.h"

namespace bench::report {

// For those who do not see it, and as what appears under the pointer.
struct caption {
  std::string id;  // Of this page alone.
  std::string title;
  std::string description;
};

struct bar {
  std::string label;
  int kind;  // Of colour.
  spread value;
  std::string beside;  // Behind the value: how many times the first.
};

// From nothing where the largest is at most 30 times the least, else on a log axis. Lines show how far repetitions lie apart.
std::string bar_chart(const caption& of, std::span<const bar> bars, unit in);
bool needs_log_axis(std::span<const bar> bars);

struct curve {
  int kind;  // Of colour, dashes and marks.
  std::vector<std::pair<double, double>> points;
};

struct tick {
  double at;
  std::string text;
};

// The y axis is logarithmic, and has nothing at or below zero; x is as it comes.
std::string curve_chart(const caption& of, std::span<const curve> curves,
                        std::span<const tick> x_ticks, const std::string& x_title, unit y);

// What a curve of that kind looks like, for a legend.
std::string swatch(int kind);

// So many look different.
inline constexpr int kinds = 9;

}  // namespace bench::report
