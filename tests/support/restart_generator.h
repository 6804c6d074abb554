// Random trees of supervisors that restart, weighted towards the corners of the rules.
#pragma once

#include <random>
#include <utility>
#include <vector>

#include "tests/support/restart_program.h"

namespace coppice::testing_support {

class restart_generator {
 public:
  explicit restart_generator(unsigned seed) : random_(seed) {}

  restart_program make() {
    restart_program made;
    made.root = a_supervisor(0);
    for (unsigned i = below(3); i != 0; --i) {
      made.requests.push_back({static_cast<int>(below(static_cast<unsigned>(supervisors_))),
                               new_slot(), static_cast<long>(below(12)), one_in(2)});
    }
    made.modulus = slots_ + 1;
    made.children = children_;
    // What was counted in rounds becomes a time.
    for (restart_request& each : made.requests) {
      each.after *= made.modulus;
    }
    made.end = (3 + static_cast<long>(below(14))) * made.modulus;  // Residue 0 is nobody's.
    scale(made.root, made.modulus);
    return made;
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  bool one_in(unsigned n) { return below(n) == 0; }
  int new_slot() { return ++slots_; }

  // Mostly a slot of its own; sometimes another child's, in whatever supervisor that is.
  int life_slot() {
    if (!lives_.empty() && one_in(6)) {
      return lives_[below(static_cast<unsigned>(lives_.size()))];
    }
    lives_.push_back(new_slot());
    return lives_.back();
  }

  // By hundredths.
  restart_end an_end(unsigned none, unsigned fails) {
    const unsigned choice = below(100);
    return choice < none           ? restart_end::none
           : choice < none + fails ? restart_end::fails
                                   : restart_end::returns;
  }

  restart_child a_child(int depth, shutdown_trigger trigger) {
    restart_child made;
    made.id = children_++;
    made.restart = one_in(2)   ? restart_type::permanent
                   : one_in(2) ? restart_type::transient
                               : restart_type::temporary;
    made.significant =
        trigger != shutdown_trigger::never && made.restart != restart_type::permanent && !one_in(3);
    made.gated = one_in(2);
    made.start_slot = new_slot();
    if (one_in(4)) {
      made.delay = 1 + below(2);
      made.longest_delay = made.delay << (1 + below(3));
      made.healthy_after = 1 + below(2);
    }
    if (depth < 2 && one_in(5)) {
      made.inner.push_back(a_supervisor(depth + 1));
      made.gated = made.gated && made.inner.front().form != restart_form::bodiless;
      return made;
    }
    made.life_slot = life_slot();
    made.stop_slot = new_slot();
    made.brutal = one_in(6);
    made.stop = one_in(3)   ? restart_stop::slow
                : one_in(5) ? restart_stop::fails
                            : restart_stop::prompt;
    for (unsigned i = below(6); i != 0; --i) {
      const bool first = made.lives.empty();
      made.lives.push_back({an_end(first ? 97 : 80, 15), an_end(20, made.delay != 0 ? 75 : 55),
                            static_cast<int>(one_in(3) ? below(4) : 0)});
    }
    made.lives.push_back({an_end(97, 2), an_end(60, 30)});
    return made;
  }

  restart_supervisor a_supervisor(int depth) {
    restart_supervisor made;
    made.id = supervisors_++;
    made.strategy = static_cast<restart_strategy>(below(3));
    made.max_restarts = one_in(depth == 0 ? 4 : 2) ? below(3) : 3 + below(8);
    made.period = one_in(3) ? 100 : 1 + below(3);
    made.auto_shutdown = one_in(2)   ? shutdown_trigger::never
                         : one_in(2) ? shutdown_trigger::any_significant
                                     : shutdown_trigger::all_significant;
    for (unsigned i = one_in(8) ? 0 : 1 + below(depth == 0 ? 6 : 3); i != 0; --i) {
      made.children.push_back(a_child(depth, made.auto_shutdown));
    }
    made.drain = one_in(3) ? 1 + below(4) : 0;
    if (depth != 0 && !made.children.empty() && one_in(4)) {
      made.form = one_in(2) ? restart_form::grouped : restart_form::bodiless;
    }
    if (made.form == restart_form::bodiless) {
      return made;
    }
    const int first = children_ - static_cast<int>(made.children.size());
    for (unsigned i = below(7); i != 0; --i) {
      made.body.push_back(a_step(made, first));
    }
    if (one_in(4)) {
      restart_step step;
      step.call = restart_call::end;
      step.slot = new_slot();
      step.end = one_in(3) ? restart_end::fails : restart_end::returns;
      made.body.push_back(step);
    }
    return made;
  }

  restart_step a_step(const restart_supervisor& in, int fallback) {
    restart_step step;
    step.slot = new_slot();
    step.child = fallback;
    if (!in.children.empty()) {
      step.child = in.children[below(static_cast<unsigned>(in.children.size()))].id;
    }
    for (const restart_step& each : in.body) {
      if (!each.added.empty() && one_in(4)) {
        step.child = each.added.front().id;
      }
    }
    switch (below(10)) {
      case 0:
      case 1:
        step.call = restart_call::terminate;
        break;
      case 2:
      case 3:
        step.call = restart_call::restart;
        break;
      case 4:
        step.call = restart_call::remove;
        break;
      case 5:
        step.call = restart_call::spawn;
        step.end_slot = new_slot();
        step.end = an_end(0, 50);
        break;
      case 6:
        step.call = restart_call::start;
        step.added.push_back(one_in(6) && !in.children.empty() ? in.children.back()
                                                               : a_child(2, in.auto_shutdown));
        break;
      case 7:
        step.call = restart_call::cancel;
        break;
      default:
        break;
    }
    return step;
  }

  static void scale(restart_child& child, long modulus) {
    child.delay *= modulus;
    child.longest_delay *= modulus;
    child.healthy_after *= modulus;
    for (restart_supervisor& each : child.inner) {
      scale(each, modulus);
    }
  }

  static void scale(restart_supervisor& in, long modulus) {
    in.period *= modulus;
    in.drain *= modulus;
    for (restart_child& each : in.children) {
      scale(each, modulus);
    }
    for (restart_step& each : in.body) {
      for (restart_child& added : each.added) {
        scale(added, modulus);
      }
    }
  }

  std::minstd_rand random_;
  int slots_ = 0;
  int supervisors_ = 0;
  int children_ = 0;
  std::vector<int> lives_;
};

}  // namespace coppice::testing_support
