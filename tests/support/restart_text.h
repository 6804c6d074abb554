// What a test of supervisors that restart prints where the model and the library differ.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/restart_program.h"

namespace coppice::testing_support {

// ---- As text ------------------------------------------------------------------------------------

inline std::string text_of(restart_end end) {
  return end == restart_end::none ? "lives" : end == restart_end::fails ? "fails" : "returns";
}

inline std::string text_of(const restart_supervisor& plan, const std::string& indent);

inline std::string text_of(const restart_child& plan, const std::string& indent) {
  const char* const types[] = {"permanent", "transient", "temporary"};
  const char* const stops[] = {"", ", stops slowly", ", fails when stopped"};
  std::string text = indent + child_name(plan.id) + " " +
                     types[static_cast<std::size_t>(plan.restart)] +
                     stops[static_cast<std::size_t>(plan.stop)];
  text += plan.gated ? ", gated" : "";
  text += plan.significant ? ", significant" : "";
  text += plan.brutal ? ", brutal" : "";
  text += "; slots " + std::to_string(plan.start_slot) + " " + std::to_string(plan.life_slot) +
          " " + std::to_string(plan.stop_slot);
  if (plan.delay != 0) {
    text += "; delay " + std::to_string(plan.delay) + ".." + std::to_string(plan.longest_delay) +
            ", anew after " + std::to_string(plan.healthy_after);
  }
  text += ";";
  for (const restart_life& each : plan.lives) {
    text += " " + text_of(each.at_start) + "/" + text_of(each.later) + "+" +
            std::to_string(each.rounds);
  }
  text += "\n";
  for (const restart_supervisor& each : plan.inner) {
    text += text_of(each, indent + "  ");
  }
  return text;
}

inline std::string text_of(const restart_step& step, const std::string& indent) {
  const char* const calls[] = {"look",  "terminate", "restart", "delete",
                               "start", "cancel",    "spawn",   "end"};
  std::string text =
      indent + "at " + std::to_string(step.slot) + " " + calls[static_cast<std::size_t>(step.call)];
  if (step.call == restart_call::spawn || step.call == restart_call::end) {
    return text + " " + std::to_string(step.end_slot) + " " + text_of(step.end) + "\n";
  }
  text += (step.added.empty() ? " " + child_name(step.child) : "") + "\n";
  for (const restart_child& each : step.added) {
    text += text_of(each, indent + "  ");
  }
  return text;
}

inline std::string text_of(const restart_supervisor& plan, const std::string& indent) {
  const char* const strategies[] = {"one_for_one", "one_for_all", "rest_for_one"};
  const char* const triggers[] = {"", ", any_significant", ", all_significant"};
  const char* const forms[] = {" ", " in a group, ", " without a body, "};
  std::string text = indent + supervisor_name(plan.id) +
                     forms[static_cast<std::size_t>(plan.form)] +
                     strategies[static_cast<std::size_t>(plan.strategy)] + ", " +
                     std::to_string(plan.max_restarts) + " in " + std::to_string(plan.period) +
                     triggers[static_cast<std::size_t>(plan.auto_shutdown)] +
                     (plan.drain == 0 ? "" : ", drains for " + std::to_string(plan.drain)) + "\n";
  for (const restart_child& each : plan.children) {
    text += text_of(each, indent + "  ");
  }
  for (const restart_step& each : plan.body) {
    text += text_of(each, indent + "  ");
  }
  return text;
}

inline std::string text_of(const restart_program& program) {
  std::string text = text_of(program.root, "");
  for (const restart_request& each : program.requests) {
    text += std::string(each.cancel ? "cancel " : "shut down ") + supervisor_name(each.supervisor) +
            " at " + std::to_string(slot_behind(each.after, each.slot, program.modulus)) + "\n";
  }
  return text + "end at " + std::to_string(program.end) + ", rounds of " +
         std::to_string(program.modulus) + "\n";
}

inline std::string text_of(const restart_history& history) {
  std::string text;
  for (const restart_event& each : history.children) {
    text +=
        std::to_string(each.when) + " " + supervisor_name(each.supervisor) + " " + each.what + "\n";
  }
  for (const auto& [id, said] : history.bodies) {
    for (const std::string& each : said) {
      text += "body of " + supervisor_name(id) + ": " + each + "\n";
    }
  }
  for (const std::string& each : history.spawned) {
    text += "spawned: " + each + "\n";
  }
  for (const std::string& each : history.reports) {
    text += "report: " + each + "\n";
  }
  for (const std::string& each : history.restarts) {
    text += "restart: " + each + "\n";
  }
  return text + "outcome: " + history.outcome + "\n";
}

// ---- Smaller programs ---------------------------------------------------------------------------

// Leaves out the part with this number; false if there are not so many.
class restart_cut {
 public:
  explicit restart_cut(std::size_t which) : left_(which) {}

  bool from(restart_program& program) { return one_of(program.requests, 0) || from(program.root); }

 private:
  template <class Part>
  bool one_of(std::vector<Part>& parts, std::size_t least) {
    const std::size_t spare = parts.size() > least ? parts.size() - least : 0;
    if (left_ >= spare) {
      left_ -= spare;
      return false;
    }
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(left_));
    return true;
  }

  bool from(restart_supervisor& plan) {
    if (one_of(plan.children, 0) || one_of(plan.body, 0)) {
      return true;
    }
    for (restart_child& each : plan.children) {
      if (from(each)) {
        return true;
      }
    }
    for (restart_step& each : plan.body) {
      if (!each.added.empty() && from(each.added.front())) {
        return true;
      }
    }
    return false;
  }

  bool from(restart_child& plan) {
    return one_of(plan.lives, 1) || (!plan.inner.empty() && from(plan.inner.front()));
  }

  std::size_t left_;
};

// Of those that still differ, one from which nothing can be left out.
inline restart_program shrunk(restart_program program,
                              const std::function<bool(const restart_program&)>& differs) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t i = 0;;) {
      restart_program less = program;
      if (!restart_cut(i).from(less)) {
        break;
      }
      if (differs(less)) {
        program = less;
        smaller = true;
      } else {
        ++i;
      }
    }
  }
  return program;
}

}  // namespace coppice::testing_support
