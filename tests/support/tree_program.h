// Random programs of the supervision tree, and what can be seen of one that has run.
#pragma once

#include <coppice/outcome.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace coppice::testing_support {

// ---- Programs -----------------------------------------------------------------------------------

enum class step_kind { sleep, spawn, open, cancel_scope, cancel_task, fail };
enum class scope_kind { group, collecting_group, supervisor, plain, timed, shield };

struct tree_step {
  step_kind kind = step_kind::sleep;
  int id = 0;  // Of the sleep (its residue), scope, task or failure; of what is cancelled.
  scope_kind scope = scope_kind::plain;
  int deadline = 0;                   // The residue of its timeout; 0: none.
  bool caught = false;                // A failure of the scope ends here.
  std::vector<tree_step> inner = {};  // The body of the scope or task.
};

struct tree_program {
  std::vector<tree_step> body;
  int scopes = 0;
  int tasks = 0;
  long modulus = 1;  // More than there are residues.
};

// The first time behind `now` that is this residue's.
inline long next_slot(long now, int residue, long modulus) {
  const long from = now + 1;
  const long slot = from - from % modulus + residue;
  return slot >= from ? slot : slot + modulus;
}

class tree_generator {
 public:
  explicit tree_generator(unsigned seed) : random_(seed) {}

  tree_program make() {
    tree_program made;
    tree_step root;
    root.kind = step_kind::open;
    root.scope = one_in(2)   ? scope_kind::supervisor
                 : one_in(2) ? scope_kind::collecting_group
                             : scope_kind::group;
    root.id = scopes_++;
    root.caught = true;
    if (one_in(4)) {
      cancellable_scopes_.push_back(root.id);
    }
    root.inner = body(4, true);
    made.body.push_back(std::move(root));
    made.scopes = scopes_;
    made.tasks = tasks_;
    made.modulus = residues_ + 1;
    return made;
  }

 private:
  bool one_in(unsigned n) { return random_() % n == 0; }

  tree_step a_sleep() {
    tree_step step;
    step.id = ++residues_;
    return step;
  }

  std::vector<tree_step> body(int depth, bool may_spawn) {
    std::vector<tree_step> steps;
    const unsigned count = 1 + static_cast<unsigned>(random_() % 4);
    for (unsigned i = 0; i != count; ++i) {
      add(steps, depth, may_spawn);
    }
    if (one_in(7)) {
      steps.push_back(a_sleep());
      tree_step fails;
      fails.kind = step_kind::fail;
      fails.id = failures_++;
      steps.push_back(fails);
    }
    return steps;
  }

  void add(std::vector<tree_step>& steps, int depth, bool may_spawn) {
    const auto choice = random_() % 10;
    if (choice < 3 && may_spawn && depth > 0) {
      tree_step step;
      step.kind = step_kind::spawn;
      step.id = tasks_++;
      if (one_in(6)) {
        step.deadline = ++residues_;
      } else {
        cancellable_tasks_.push_back(step.id);
      }
      step.inner = body(depth - 1, true);
      step.inner.insert(step.inner.begin(), a_sleep());
      steps.push_back(std::move(step));
    } else if (choice < 6 && depth > 0) {
      tree_step step;
      step.kind = step_kind::open;
      step.id = scopes_++;
      step.scope = static_cast<scope_kind>(random_() % 6);
      step.caught = one_in(2);
      const bool bounded =
          step.scope == scope_kind::timed ||
          (step.scope != scope_kind::shield && step.scope != scope_kind::supervisor && one_in(4));
      if (bounded) {
        step.deadline = ++residues_;
      }
      if (step.scope != scope_kind::timed && step.scope != scope_kind::shield) {
        cancellable_scopes_.push_back(step.id);
      }
      step.inner = body(depth - 1, may_spawn);
      steps.push_back(std::move(step));
      steps.push_back(a_sleep());  // So that what goes on behind it begins at a time of its own.
    } else if (choice == 6 && !(cancellable_scopes_.empty() && cancellable_tasks_.empty())) {
      steps.push_back(a_sleep());
      tree_step step;
      const bool of_task =
          cancellable_scopes_.empty() || (!cancellable_tasks_.empty() && one_in(2));
      const std::vector<int>& from = of_task ? cancellable_tasks_ : cancellable_scopes_;
      step.kind = of_task ? step_kind::cancel_task : step_kind::cancel_scope;
      step.id = from[random_() % from.size()];
      steps.push_back(step);
      steps.push_back(a_sleep());
    } else {
      steps.push_back(a_sleep());
    }
  }

  std::minstd_rand random_;
  int residues_ = 0;
  int scopes_ = 0;
  int tasks_ = 0;
  int failures_ = 0;
  std::vector<int> cancellable_scopes_;
  std::vector<int> cancellable_tasks_;
};

// ---- What happened ------------------------------------------------------------------------------

struct tree_history {
  std::map<int, long> wakes;                                 // When each sleep ended by itself.
  std::map<int, std::pair<task_status, std::string>> tasks;  // How each that was spawned ended.
  std::multiset<std::pair<int, std::string>> handled;  // What the handler of each supervisor heard.
  std::map<int, std::string> caught;                   // The failures of scopes that ended there.
  long end = 0;

  friend bool operator==(const tree_history&, const tree_history&) = default;
};

// A group's failures as one text.
inline std::string group_text(std::vector<std::string> leaves) {
  std::sort(leaves.begin(), leaves.end());
  std::string text = "{";
  for (const std::string& each : leaves) {
    text += each + ",";
  }
  return text + "}";
}

inline std::string failure_text(int id) {
  return "f" + std::to_string(id);
}

}  // namespace coppice::testing_support
