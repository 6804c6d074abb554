// The results of suites, as a report needs them: rows with all their repetitions, targets, and the machine.
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bench::report {

// Under this name a row's time stands among its values, in nanoseconds.
inline constexpr const char* time_value = "time";

struct row {
  std::string name;  // <suite>/<system or what>/..., without what Google Benchmark appends.
  std::map<std::string, std::vector<double>> values;  // By name, one for each repetition.
  std::string failure;                                // Empty, unless the row failed.

  std::string suite() const { return name.substr(0, name.find('/')); }
  // The repetitions of a value; none if the row has not got it.
  std::span<const double> repetitions(const std::string& value) const;
};

struct target {
  std::string suite;
  std::string what;
  bool at_most;
  double limit;
  std::string unit;
  double measured;         // NaN if it was not.
  bool condition = false;  // Without which the suite's other targets are void.
  bool is_void = false;    // Such a condition was missed.

  bool missed() const { return at_most ? measured > limit : measured < limit; }
};

// What became of it.
enum class fate { met, missed, not_measured, is_void };

fate fate_of(const target& one);
const char* word_for(fate of);

struct results {
  std::vector<std::pair<std::string, std::string>> context;
  std::vector<row> rows;
  std::vector<target> targets;

  // Null if there is none of that name.
  const row* find(const std::string& name) const;
  std::string context_of(const std::string& key) const;
  // In the order of their first rows.
  std::vector<std::string> suites() const;
};

// A file's contents, and what to call it in messages.
struct source {
  std::string name;
  std::string text;
};

// One file of Google Benchmark's JSON out of several: the context of the first, with what others know beside, and
// the rows and targets of all. Throws std::runtime_error, with the file and the place, for what is no such file,
// and for a row that two of them have.
std::string join(std::span<const source> files);

// Reads one such file. Control characters are gone from all text. Throws as join() does.
results parse(const source& file);

}  // namespace bench::report
