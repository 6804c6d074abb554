// Reading, checking and joining Google Benchmark's JSON.
#include "bench/report/results.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

namespace bench::report {
namespace {

using json = nlohmann::ordered_json;

[[noreturn]] void refuse(const source& file, const std::string& why) {
  throw std::runtime_error(file.name + ": " + why);
}

// "line 3, column 7" of an offset.
std::string place(const std::string& text, std::size_t offset) {
  const std::string before = text.substr(0, offset);
  const auto line = 1 + std::ranges::count(before, '\n');
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string::npos ? offset : offset - newline - 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

json read(const source& file) {
  if (file.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    refuse(file, "is empty; did the suite end before it had measured anything?");
  }
  json whole;
  try {
    whole = json::parse(file.text);
  } catch (const json::parse_error& error) {
    if (error.byte > file.text.size()) {
      refuse(file, "ends in the middle, at " + place(file.text, file.text.size()) +
                       "; was the suite interrupted?");
    }
    refuse(file, "is no JSON, at " + place(file.text, error.byte));
  }
  if (!whole.is_object() || !whole.contains("context") || !whole["context"].is_object() ||
      !whole.contains("benchmarks") || !whole["benchmarks"].is_array()) {
    refuse(file, "is JSON, but no result of Google Benchmark: that has a context and benchmarks");
  }
  if (whole.contains("targets") && !whole["targets"].is_array()) {
    refuse(file, "has targets that are no list");
  }
  return whole;
}

// What a member must be, or the file is refused.
template <class T>
T member(const source& file, const json& of, const char* name) {
  const auto found = of.is_object() ? of.find(name) : of.end();
  if (!of.is_object() || found == of.end()) {
    refuse(file, "has a row or target without \"" + std::string(name) + '"');
  }
  try {
    return found->get<T>();
  } catch (const json::type_error&) {
    refuse(file, "has a row or target whose \"" + std::string(name) + "\" is of a wrong type");
  }
}

// Terminals obey control characters, and HTML has no place for them.
std::string printable(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

// Google Benchmark appends how it measured, as in x/iterations:1/manual_time.
std::string own_name(std::string name) {
  for (;;) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos) {
      return name;
    }
    const std::string last = name.substr(slash + 1);
    if (last.find(':') == std::string::npos && last != "manual_time" && last != "real_time" &&
        last != "process_time") {
      return name;
    }
    name.resize(slash);
  }
}

// Aggregates are left out: they are made anew of the repetitions.
bool is_measurement(const json& row) {
  return !row.is_object() || !row.contains("run_type") || row["run_type"] == "iteration";
}

double ns_per(const source& file, const std::string& unit) {
  const std::map<std::string, double> known = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  const auto found = known.find(unit);
  if (found == known.end()) {
    refuse(file, "has a row in an unknown unit of time: " + printable(unit));
  }
  return found->second;
}

void add_values(const source& file, const json& from, row& to) {
  static const std::set<std::string> not_counters = {"family_index", "per_family_instance_index",
                                                     "repetitions",  "repetition_index",
                                                     "threads",      "iterations",
                                                     "real_time",    "cpu_time"};
  to.values[time_value].push_back(member<double>(file, from, "real_time") *
                                  ns_per(file, member<std::string>(file, from, "time_unit")));
  for (const auto& [name, value] : from.items()) {
    if (value.is_number() && !not_counters.contains(name)) {
      to.values[printable(name)].push_back(value.get<double>());
    }
  }
}

std::string text_of(const std::string& key, const json& value) {
  if (value.is_string()) {
    return printable(value.get<std::string>());
  }
  if (!value.is_array()) {
    return value.dump();
  }
  std::string all;
  for (const json& one : value) {
    all += all.empty() ? "" : ", ";
    if (key == "caches" && one.is_object()) {
      all += 'L' + one.value("level", json()).dump() + ' ' + one.value("type", json()).dump() +
             ' ' + one.value("size", json()).dump();
    } else {
      all += one.dump();
    }
  }
  return printable(all);
}

// What is said of the machine by all; where they differ, by each.
void join_contexts(json& into, const json& other) {
  static const std::set<std::string> of_one_run = {"date", "executable", "host_name"};
  for (const auto& [key, value] : other.items()) {
    if (!into.contains(key)) {
      into[key] = value;
    } else if (into[key].is_string() && value.is_string() && !of_one_run.contains(key)) {
      auto& known = into[key].get_ref<std::string&>();
      const auto& said = value.get_ref<const std::string&>();
      if (("; " + known + "; ").find("; " + said + "; ") == std::string::npos) {
        known += "; " + said;
      }
    }
  }
}

}  // namespace

std::span<const double> row::repetitions(const std::string& value) const {
  const auto found = values.find(value);
  return found == values.end() ? std::span<const double>() : found->second;
}

fate fate_of(const target& one) {
  return std::isnan(one.measured) ? fate::not_measured
         : one.is_void            ? fate::is_void
         : one.missed()           ? fate::missed
                                  : fate::met;
}

const char* word_for(fate of) {
  switch (of) {
    case fate::met:
      return "met";
    case fate::missed:
      return "missed";
    case fate::is_void:
      return "void";
    case fate::not_measured:
      break;
  }
  return "not measured";
}

const row* results::find(const std::string& name) const {
  const auto found = std::ranges::find(rows, name, &row::name);
  return found == rows.end() ? nullptr : &*found;
}

std::string results::context_of(const std::string& key) const {
  for (const auto& [name, value] : context) {
    if (name == key) {
      return value;
    }
  }
  return "unknown";
}

std::vector<std::string> results::suites() const {
  std::vector<std::string> names;
  for (const row& one : rows) {
    if (std::ranges::find(names, one.suite()) == names.end()) {
      names.push_back(one.suite());
    }
  }
  return names;
}

std::string join(std::span<const source> files) {
  json all;
  std::map<std::string, const source*> owners;
  for (const source& file : files) {
    const json part = read(file);
    if (all.is_null()) {
      all["context"] = part["context"];
      all["benchmarks"] = json::array();
      all["targets"] = json::array();
    } else {
      join_contexts(all["context"], part["context"]);
    }
    for (const json& each : part["benchmarks"]) {
      const auto name = member<std::string>(file, each, "name");
      const source& owner = *owners.try_emplace(name, &file).first->second;
      if (&owner != &file) {
        refuse(file, "has the row " + printable(name) + ", which " + owner.name + " has too");
      }
      all["benchmarks"].push_back(each);
    }
    for (const json& each : part.value("targets", json::array())) {
      all["targets"].push_back(each);
    }
  }
  return all.dump(1) + '\n';
}

results parse(const source& file) {
  const json whole = read(file);
  results all;
  for (const auto& [key, value] : whole["context"].items()) {
    all.context.emplace_back(printable(key), text_of(key, value));
  }
  std::map<std::string, std::size_t> places;
  for (const json& each : whole["benchmarks"]) {
    if (!is_measurement(each)) {
      continue;
    }
    const bool whole_name = !each.is_object() || !each.contains("run_name");
    const std::string name =
        own_name(printable(member<std::string>(file, each, whole_name ? "name" : "run_name")));
    const auto [at, is_new] = places.try_emplace(name, all.rows.size());
    if (is_new) {
      all.rows.push_back({name, {}, {}});
    }
    row& one = all.rows[at->second];
    if (each.contains("error_occurred") && each["error_occurred"] == true) {
      one.failure = printable(each.value("error_message", "for an unknown reason"));
    } else {
      add_values(file, each, one);
    }
  }
  if (all.rows.empty()) {
    refuse(file, "has no row");
  }
  for (const json& each : whole.value("targets", json::array())) {
    const bool unmeasured =
        each.is_object() && each.contains("measured") && each["measured"].is_null();
    all.targets.push_back({printable(member<std::string>(file, each, "suite")),
                           printable(member<std::string>(file, each, "what")),
                           member<bool>(file, each, "at_most"), member<double>(file, each, "limit"),
                           printable(member<std::string>(file, each, "unit")),
                           unmeasured ? std::numeric_limits<double>::quiet_NaN()
                                      : member<double>(file, each, "measured"),
                           each.contains("condition") && each["condition"] == true});
  }
  for (const target& condition : all.targets) {
    for (target& one : all.targets) {
      one.is_void = one.is_void || (condition.condition && condition.missed() && !one.condition &&
                                    one.suite == condition.suite);
    }
  }
  return all;
}

}  // namespace bench::report
