// How the explorer's atomics come to the memory of the execution that is going on.
#include "tests/model/coppice_model/atomic.h"

#include "tests/model/execution.h"
#include "tests/model/weakening.h"

#include <cstring>
#include <string>

namespace coppice_model {

namespace {

const char* name_of(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

void note(execution& run, const char* what, const place& of, word value, std::memory_order order,
          const site& where) {
  if (run.traced()) {
    const std::string path = where.file_name();
    run.note(path.substr(path.rfind('/') + 1) + ":" + std::to_string(where.line()) + "  " + what +
             " " + std::to_string(value) + " at " + std::to_string(run.store().name_of(of)) + ", " +
             name_of(order));
  }
}

word plain(const place& from) {
  word value = 0;
  std::memcpy(&value, from.at, from.bytes);
  return value;
}

word plainly_changed(change how, word before, word operand) {
  switch (how) {
    case change::add:
      return before + operand;
    case change::subtract:
      return before - operand;
    case change::conjunction:
      return before & operand;
    case change::disjunction:
      return before | operand;
    case change::difference:
      return before ^ operand;
    default:
      return operand;
  }
}

}  // namespace

void begin_life(const place& of) noexcept {
  if (execution* const run = execution::current()) {
    run->store().begin_life(run->self(), run->known(), of);
  }
}

void end_life(const place& of) noexcept {
  if (execution* const run = execution::current()) {
    run->store().end_life(run->known(), of);
  }
}

word load(const place& from, std::memory_order order, const site& where) noexcept {
  execution* const run = execution::current();
  if (run == nullptr) {
    return plain(from);
  }
  run->step();
  order = order_of(order, part::load, where, 0);
  const word value = run->store().load(run->self(), run->known(), from, order);
  note(*run, "reads", from, value, order, where);
  return value;
}

void store(const place& to, word value, std::memory_order order, const site& where) noexcept {
  execution* const run = execution::current();
  if (run == nullptr) {
    std::memcpy(to.at, &value, to.bytes);
    return;
  }
  run->step();
  if (left_out(where)) {
    return;
  }
  order = order_of(order, part::store, where, 0);
  run->store().store(run->self(), run->known(), to, value, order);
  note(*run, "writes", to, value, order, where);
}

word update(const place& of, change how, word operand, std::memory_order order,
            const site& where) noexcept {
  execution* const run = execution::current();
  if (run == nullptr) {
    const word before = plain(of);
    const word after = plainly_changed(how, before, operand);
    std::memcpy(of.at, &after, of.bytes);
    return before;
  }
  run->step();
  if (left_out(where)) {
    return run->store().load(run->self(), run->known(), of, std::memory_order_relaxed);
  }
  order = order_of(order, part::both, where, 0);
  const word before = run->store().update(run->self(), run->known(), of, how, operand, order);
  note(*run, "updates", of, before, order, where);
  return before;
}

bool compare_exchange(const place& of, word& expected, word desired, bool weak,
                      std::memory_order success, std::memory_order failure,
                      const site& where) noexcept {
  execution* const run = execution::current();
  if (run == nullptr) {
    const word before = plain(of);
    if (before == expected) {
      std::memcpy(of.at, &desired, of.bytes);
      return true;
    }
    expected = before;
    return false;
  }
  run->step();
  success = order_of(success, part::both, where, 0);
  failure = order_of(failure, part::load, where, 1);
  const bool done = run->store().compare_exchange(run->self(), run->known(), of, expected, desired,
                                                  weak, success, failure);
  note(*run, done ? "exchanges for" : "finds", of, done ? desired : expected,
       done ? success : failure, where);
  return done;
}

}  // namespace coppice_model
