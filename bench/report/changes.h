// What changed between two runs, and what is but noise.
//
// The noise of a value is how far its repetitions lie apart, in that of the two runs where they do more; but it is no less
//
// - than usual: half of the rows of its suite have repetitions further apart, by proportion. So a row whose
//   repetitions happen to agree is not believed more than others.
// - than what 19 of 20 values of other systems have changed by, whose code is the same in both runs. So what the
//   machine does to a whole run is not taken for a change of ours.
//
// A change counts if the repetitions of the two runs do not overlap and the medians are further apart than that noise.
// Where a run has but one repetition nobody can tell.
#pragma once

#include <string>
#include <vector>

#include "bench/report/results.h"

namespace bench::report {

enum class verdict { better, worse, noise, unknown };

const char* word_for(verdict of);

struct change {
  std::string row;
  std::string value;
  double before;  // Medians, both.
  double after;
  double noise;  // In the value's own unit.
  verdict what;

  // Of what it was; 0 if that was nothing.
  double percent() const;
  double noise_percent() const;
};

struct changed_target {
  target now;
  target then;
};

struct changed_context {
  std::string key;
  std::string before;
  std::string after;
};

struct changes {
  std::vector<change> all;  // Of our rows, values that are better when less, or when more.
  std::vector<std::string> only_before;  // Rows.
  std::vector<std::string> only_after;
  std::vector<changed_target> targets;  // Whose fate is another.
  struct context {
    std::string key;
    std::string before;
    std::string after;
  };
  double drift;  // What 19 of 20 values of others have changed by: 0.05 is 5%. 0 without others.
  std::vector<changed_context> contexts;  // Of compiler, machine and so on, what is not the same.

  std::size_t count(verdict of) const;
  // The largest first, by proportion.
  std::vector<change> with(verdict of) const;
};

changes compare(const results& before, const results& after);

}  // namespace bench::report
