// Orders that are taken one step weaker than the source says: what the explorer must then find is a bug.
//
// An order is named by the file and line where its memory_order stands. The environment variable MODEL_WEAKEN names
// such for a whole run, joined by commas: "slot.h:101,deque.h:200"; with an `a` behind it, an acq_rel keeps only that it
// acquires; with an `x`, what is written there is not.
#pragma once

#include "tests/model/coppice_model/atomic.h"

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

namespace coppice_model {

// A step weaker: seq_cst becomes acq_rel, or what of that the operation can be; acq_rel becomes one of its halves, and
// these relaxed.
enum class lack : unsigned char {
  a_step,       // Of an acq_rel: what it acquires.
  the_release,  // Of an acq_rel.
  the_write,    // A store or an update changes nothing: what finds out whether it is needed at all.
};

struct weakening {
  std::string file;  // The end of its path.
  unsigned line = 0;
  lack of = lack::a_step;

  friend bool operator==(const weakening&, const weakening&) = default;
};

// In force until replaced.
void weaken(std::vector<weakening> these);

// A line that bears a memory_order and the labels of orderings.
struct order {
  weakening weaker;
  std::vector<std::string> labels;
};

// All of a file; one that is acq_rel comes twice.
std::vector<order> orders_in(const std::string& file);

// Those with that label.
std::vector<weakening> labelled(const std::string& file, const std::string& label);

// The statement that begins so, at its only place in a file, without its write; throws std::runtime_error if it is at none
// or at several.
weakening without(const std::string& file, const std::string& beginning);

// The source there, without its comment.
std::string text_at(const weakening& order);

enum class part : unsigned char { load, store, both };

// What is in force for an operation's first or second order.
std::memory_order order_of(std::memory_order order, part of, const site& where, std::size_t which);

// Does what is in force leave the write there out?
bool left_out(const site& where);

}  // namespace coppice_model
