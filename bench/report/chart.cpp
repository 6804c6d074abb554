// Where each line, bar and letter stands.
#include "bench/report/chart.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "bench/report/markup.h"

namespace bench::report {
namespace {

constexpr double width = 440;

std::string number(double value) {
  return absl::StrFormat("%.1f", value);
}

std::string open(const caption& of, double height) {
  return absl::StrCat("<svg viewBox=\"0 0 ", number(width), " ", number(height),
                      "\" role=\"img\" aria-labelledby=\"", of.id, "-t ", of.id,
                      "-d\"><title id=\"", of.id, "-t\">", escaped(of.title), "</title><desc id=\"",
                      of.id, "-d\">", escaped(of.description), "</desc>\n");
}

std::string line(const char* style, double x1, double y1, double x2, double y2) {
  return absl::StrCat("<line class=\"", style, "\" x1=\"", number(x1), "\" y1=\"", number(y1),
                      "\" x2=\"", number(x2), "\" y2=\"", number(y2), "\"/>\n");
}

std::string label(const char* anchor, double x, double y, const std::string& text) {
  return absl::StrCat("<text text-anchor=\"", anchor, "\" x=\"", number(x), "\" y=\"", number(y),
                      "\">", escaped(text), "</text>\n");
}

// A value's place on an axis, linear or logarithmic.
struct axis {
  double from;
  double to;
  double begin;
  double end;
  bool logarithmic;

  double at(double value) const {
    const auto measure = [this](double of) { return logarithmic ? std::log10(of) : of; };
    const double low = measure(from);
    const double part = (measure(std::max(value, from)) - low) / (measure(to) - low);
    return begin + std::clamp(part, 0.0, 1.0) * (end - begin);
  }
};

double decade_below(double value) {
  return std::pow(10, std::floor(std::log10(value) + 1e-9));
}

double decade_above(double value) {
  return std::pow(10, std::ceil(std::log10(value) - 1e-9));
}

// Decades, and between them 2 and 5 where there would be few.
std::vector<double> log_ticks(double from, double to) {
  std::vector<double> all;
  const double decades = std::log10(to / from);
  for (double decade = decade_below(from); decade <= to * 1.001; decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      const double at = decade * step;
      if ((step == 1.0 || decades < 2.5) && at >= from * 0.999 && at <= to * 1.001) {
        all.push_back(at);
      }
    }
  }
  return all;
}

// The largest of 1, 2 and 5 by ten to some power that is at most the value, or the least that is at least.
double round_step(double value, bool up) {
  const double decade = decade_below(value);
  double below = decade;
  for (const double step : {1.0, 2.0, 5.0, 10.0}) {
    if (up && decade * step >= value * 0.9999) {
      return decade * step;
    }
    below = decade * step <= value * 1.0001 ? decade * step : below;
  }
  return below;
}

std::string mark(int kind, double x, double y) {
  const auto polygon = [&](std::initializer_list<std::pair<double, double>> corners) {
    std::string points;
    for (const auto& [dx, dy] : corners) {
      absl::StrAppend(&points, points.empty() ? "" : " ", number(x + dx), ",", number(y + dy));
    }
    return absl::StrCat("<polygon class=\"mark k", kind, "\" points=\"", points, "\"/>");
  };
  switch (kind % 4) {
    case 1:
      return polygon({{-4, -4}, {4, -4}, {4, 4}, {-4, 4}});
    case 2:
      return polygon({{0, -5}, {5, 4}, {-5, 4}});
    case 3:
      return polygon({{0, -5.5}, {5.5, 0}, {0, 5.5}, {-5.5, 0}});
    default:
      return absl::StrCat("<circle class=\"mark k", kind, "\" cx=\"", number(x), "\" cy=\"",
                          number(y), "\" r=\"4\"/>");
  }
}

}  // namespace

bool needs_log_axis(std::span<const bar> bars) {
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  for (const bar& one : bars) {
    least = std::min(least, one.value.median);
    most = std::max(most, one.value.median);
  }
  return least > 0 && most > 30 * least;
}

std::string bar_chart(const caption& of, std::span<const bar> bars, unit in) {
  constexpr double row_height = 26;
  constexpr double left = 132;
  constexpr double right = 294;
  const bool logarithmic = needs_log_axis(bars);
  const double bottom = row_height * static_cast<double>(bars.size()) + 4;
  const double height = bottom + (logarithmic ? 22 : 4);
  axis x = {0, 0, left, right, logarithmic};
  double least = std::numeric_limits<double>::infinity();
  for (const bar& one : bars) {
    x.to = std::max(x.to, one.value.most);
    least = std::min(least, one.value.median);
  }
  if (logarithmic) {
    // So that the shortest is still a bar.
    x.from = decade_below(least / 1.5);
    x.to = decade_above(x.to);
  }
  x.to = x.to > x.from ? x.to : x.from + 1;
  std::string svg = open(of, height);
  if (logarithmic) {
    for (double decade = x.from; decade <= x.to * 1.001; decade *= 10) {
      svg += line("grid", x.at(decade), 2, x.at(decade), bottom);
    }
    svg += label("middle", left, height - 5, text_of(x.from, in));
    svg += label("middle", right, height - 5, text_of(x.to, in));
  }
  double y = 4;
  for (const bar& one : bars) {
    const double middle = y + row_height / 2;
    absl::StrAppend(&svg, "<rect class=\"bar k", one.kind, "\" x=\"", number(left), "\" y=\"",
                    number(y + 4), "\" width=\"",
                    number(std::max(x.at(one.value.median) - left, 1.0)), "\" height=\"",
                    number(row_height - 8), "\"/>\n");
    if (one.value.count > 1) {
      svg += line("range", x.at(one.value.least), middle, x.at(one.value.most), middle);
    }
    svg += label("end", left - 7, middle + 4.5, one.label);
    svg += label("end", 376, middle + 4.5, text_of(one.value.median, in));
    svg += label("end", width - 2, middle + 4.5, one.beside);
    y += row_height;
  }
  svg += line("axis", left, 2, left, bottom);
  return svg + "</svg>\n";
}

std::string curve_chart(const caption& of, std::span<const curve> curves,
                        std::span<const tick> x_ticks, const std::string& x_title, unit y_unit) {
  constexpr double height = 300;
  constexpr double left = 66;
  constexpr double right = width - 18;
  constexpr double top = 12;
  constexpr double bottom = height - 48;
  double x_from = x_ticks.front().at;
  double x_to = x_ticks.back().at;
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  for (const curve& one : curves) {
    for (const auto& [at, value] : one.points) {
      x_from = std::min(x_from, at);
      x_to = std::max(x_to, at);
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  const axis x = {x_from, x_to > x_from ? x_to : x_from + 1, left + 8, right, false};
  const double floor = round_step(least, false);
  const axis y = {floor, std::max(round_step(most, true), 2 * floor), bottom, top, true};
  std::string svg = open(of, height);
  for (const double at : log_ticks(y.from, y.to)) {
    svg += line("grid", left, y.at(at), right, y.at(at));
    svg += label("end", left - 6, y.at(at) + 4.5, text_of(at, y_unit));
  }
  for (const tick& one : x_ticks) {
    svg += line("grid", x.at(one.at), top, x.at(one.at), bottom + 4);
    svg += label("middle", x.at(one.at), bottom + 19, one.text);
  }
  svg += label("middle", (left + right) / 2, height - 8, x_title);
  svg += line("axis", left, bottom, right, bottom) + line("axis", left, top, left, bottom);
  // Ours last, on top of the others.
  for (std::size_t i = curves.size(); i-- != 0;) {
    const curve& one = curves[i];
    std::string points;
    std::string marks;
    for (const auto& [at, value] : one.points) {
      absl::StrAppend(&points, points.empty() ? "" : " ", number(x.at(at)), ",",
                      number(y.at(value)));
      marks += mark(one.kind, x.at(at), y.at(value));
    }
    absl::StrAppend(&svg, "<polyline class=\"curve k", one.kind, "\" points=\"", points, "\"/>",
                    marks, "\n");
  }
  return svg + "</svg>\n";
}

std::string swatch(int kind) {
  return absl::StrCat(
      "<svg class=\"swatch\" viewBox=\"0 0 36 14\" aria-hidden=\"true\"><polyline class=\"curve k",
      kind, "\" points=\"1,7 35,7\"/>", mark(kind, 18, 7), "</svg>");
}

}  // namespace bench::report
