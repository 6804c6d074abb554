// Explores a model: runs it again and again, each time with other turns and delays, until something goes wrong.
//
// A model is a function that starts threads (std::jthread), which do something with the headers that ship, and says
// by require() what must hold. It must do the same each time it runs, but for what the explorer decides.
#pragma once

#include "tests/model/decisions.h"
#include "tests/model/execution.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace coppice_model {

struct exploration {
  budget within = {};                 // Of the search, each execution.
  std::size_t most_searched = 3'000;  // Executions of the search.
  std::size_t drawn = 500;            // Executions by chance, behind it.
  limits of_each = {};
  std::function<void()> before = [] {};  // Each execution, outside of it: sets the scene.
};

struct finding {
  std::string wrong = {};     // Empty: nothing.
  std::string schedule = {};  // How to come there.
  std::string trace = {};     // What happened on the way.
  std::size_t executions = 0;
  bool searched_all = false;  // Within the budget.

  explicit operator bool() const noexcept { return !wrong.empty(); }
};

// In a process of its own, so that a crash is a finding, and one that goes wrong spoils nothing. `name` tells it from
// others, and stands before the schedule in MODEL_SCHEDULE, the environment variable that replays it.
finding explore(const std::string& name, const std::function<void()>& model,
                const exploration& how = {});

// Within a model: what must hold.
void require(bool condition, const char* what);

}  // namespace coppice_model
