// Orders that are taken one step weaker than the source says: what the explorer must then find is a bug.
//
// An order is named by the file and line where its memory_order stands. The environment variable MODEL_WEAKEN names
// such for a whole run, joined by commas: "slot.h:101,deque.h:200"; with an `a` behind it, an acq_rel keeps only that it
// acquires.
#pragma once

#include "tests/model/coppice_model/atomic.h"

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

namespace coppice_model {

// A step weaker: seq_cst becomes acq_rel, or what of that the operation can be; acq_rel becomes one of its halves, and
// these relaxed.
struct weakening {
  std::string file;  // The end of its path.
  unsigned line = 0;
  bool acquire_only = false;  // Of an acq_rel: keep that half; else the other.

  friend bool operator==(const weakening&, const weakening&) = default;
};

// In force until replaced.
void weaken(std::vector<weakening> these);

// All lines of a file that bear the label of an ordering and a memory_order; one that is acq_rel comes twice.
std::vector<weakening> labelled(const std::string& file, const std::string& label);

// The source there, without its comment.
std::string text_at(const weakening& order);

enum class part : unsigned char { load, store, both };

// What is in force for an operation's first or second order.
std::memory_order order_of(std::memory_order order, part of, const site& where, std::size_t which);

}  // namespace coppice_model
