// A suite of rows as a program: measures each in a process of its own, in random order, and prints the targets.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/support/row.h"
#include "bench/support/target_table.h"

namespace bench {

struct suite {
  const char* name;
  std::vector<row> rows;
  std::span<const target> targets;
  std::span<const comparison> comparisons;
  unsigned repetitions;
  bool workers_in_names = true;             // Behind them.
  std::span<const target> conditions = {};  // Without which the table of targets is void.

  std::string full_name(const row& of) const {
    return std::string(name) + '/' + of.name +
           (workers_in_names ? '/' + std::to_string(of.workers) : "");
  }
};

// For main(): its status is 1 if a row failed, 2 if an argument is wrong.
int run_suite(const suite& all, int argc, char** argv);

// The rows of several files.
inline std::vector<row> join_rows(std::initializer_list<std::span<const row>> files) {
  std::vector<row> rows;
  for (const auto& some : files) {
    rows.insert(rows.end(), some.begin(), some.end());
  }
  return rows;
}

}  // namespace bench
