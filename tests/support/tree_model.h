// A sequential model of the supervision tree, which says what a random program must do.
//
// It simulates one event at a time and shares nothing with the library but task_status. A program
// is the same under any schedule because no two things happen by themselves at one time: every sleep
// and every deadline has a residue of its own and ends at the next time that leaves it, and what a task
// does after it has woken begins nothing that another could overtake. Failures of one group are compared
// sorted, since a cancel may bring several at one time.
#pragma once

#include <coppice/outcome.h>

#include <cstddef>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/tree_program.h"

namespace coppice::testing_support {

class tree_model {
 public:
  explicit tree_model(const tree_program& program) : program_(program) {}

  tree_history run() {
    open_scopes_.assign(static_cast<std::size_t>(program_.scopes), nullptr);
    open_tasks_.assign(static_cast<std::size_t>(program_.tasks), nullptr);
    actor& main = actors_.emplace_back();
    main.own = new_node(nullptr, nullptr);
    main.frames.push_back({main.own, nullptr, &program_.body, nullptr});
    go_on(main);
    deliver();
    while (next_event()) {
      deliver();
    }
    if (!main.ended) {
      throw std::logic_error("the model has come to a standstill");
    }
    return history_;
  }

 private:
  enum class end_kind { none, value, failure, stop };

  struct actor;

  struct node {
    node* parent = nullptr;
    actor* host = nullptr;
    const tree_step* step = nullptr;  // That opened it or spawned its task; null for the main one.
    bool requested = false;
    bool expired = false;
    long deadline = 0;
    int children = 0;
    bool open = true;
    end_kind body = end_kind::none;
    std::string body_failure = {};
    std::vector<std::string> failures = {};
  };

  struct frame {
    node* scope;
    node* into;  // Where spawn adds to.
    const std::vector<tree_step>* steps;
    const tree_step* opened_by;
    std::size_t next = 0;
  };

  struct actor {
    node* own = nullptr;
    node* parent_group = nullptr;
    int id = -1;
    std::vector<frame> frames = {};
    long until = 0;  // 0: not asleep.
    int asleep_in = 0;
    bool ended = false;
  };

  node* new_node(node* parent, actor* host) {
    node& made = nodes_.emplace_back();
    made.parent = parent;
    made.host = host;
    return &made;
  }

  static bool is(const node& scope, scope_kind kind) {
    return scope.step != nullptr && scope.step->kind == step_kind::open &&
           scope.step->scope == kind;
  }

  static bool collects(const node& scope) {
    return is(scope, scope_kind::group) || is(scope, scope_kind::collecting_group);
  }

  static bool cancelled(const node* scope) {
    for (; scope != nullptr; scope = scope->parent) {
      if (scope->requested) {
        return true;
      }
      if (is(*scope, scope_kind::shield)) {
        return false;
      }
    }
    return false;
  }

  // Runs the steps of a task until it waits or ends.
  void go_on(actor& task) {
    while (!task.ended && task.until == 0) {
      frame& top = task.frames.back();
      if (top.next == top.steps->size()) {
        end_body(task, end_kind::value, {});
        return;
      }
      const tree_step& step = (*top.steps)[top.next++];
      switch (step.kind) {
        case step_kind::sleep:
          if (cancelled(top.scope)) {
            end_body(task, end_kind::stop, {});
            return;
          }
          task.until = next_slot(now_, step.id, program_.modulus);
          task.asleep_in = step.id;
          break;
        case step_kind::spawn:
          spawn(step, *top.into);
          break;
        case step_kind::open:
          open(task, step);
          break;
        case step_kind::cancel_scope:
          request(open_scopes_[static_cast<std::size_t>(step.id)]);
          break;
        case step_kind::cancel_task:
          request(open_tasks_[static_cast<std::size_t>(step.id)]);
          break;
        case step_kind::fail:
          end_body(task, end_kind::failure, failure_text(step.id));
          return;
      }
    }
  }

  static void request(node* scope) {
    if (scope != nullptr && scope->open) {
      scope->requested = true;
    }
  }

  void spawn(const tree_step& step, node& into) {
    if (cancelled(&into)) {
      history_.tasks[step.id] = {task_status::cancelled, ""};
      return;
    }
    actor& child = actors_.emplace_back();
    child.own = new_node(&into, &child);
    child.own->step = &step;
    child.parent_group = &into;
    child.id = step.id;
    if (step.deadline != 0) {
      child.own->deadline = next_slot(now_, step.deadline, program_.modulus);
    }
    open_tasks_[static_cast<std::size_t>(step.id)] = child.own;
    ++into.children;
    child.frames.push_back({child.own, &into, &step.inner, nullptr});
    go_on(child);
  }

  void open(actor& task, const tree_step& step) {
    node* scope = new_node(task.frames.back().scope, &task);
    scope->step = &step;
    if (step.deadline != 0) {
      scope->deadline = next_slot(now_, step.deadline, program_.modulus);
    }
    open_scopes_[static_cast<std::size_t>(step.id)] = scope;
    const bool takes_tasks = collects(*scope) || is(*scope, scope_kind::supervisor);
    node* into = takes_tasks ? scope : task.frames.back().into;
    task.frames.push_back({scope, into, &step.inner, &step});
  }

  void end_body(actor& task, end_kind how, const std::string& failure) {
    node& scope = *task.frames.back().scope;
    scope.body = how;
    if (how == end_kind::failure) {
      scope.body_failure = failure;
      if (is(scope, scope_kind::group) || is(scope, scope_kind::supervisor)) {
        scope.requested = true;
      }
      if (collects(scope)) {
        scope.failures.push_back(failure);
      }
    }
    close_if_empty(task);
  }

  // Leaves the innermost scope if nothing in it is left.
  void close_if_empty(actor& task) {
    node& scope = *task.frames.back().scope;
    if (scope.body == end_kind::none || scope.children != 0) {
      return;
    }
    scope.open = false;
    end_kind how = scope.body;
    std::string failure = scope.body_failure;
    if (!scope.failures.empty()) {
      how = end_kind::failure;
      failure = group_text(scope.failures);
    } else if (how == end_kind::stop && scope.requested && !cancelled(scope.parent)) {
      const bool timed = &scope == task.own ? scope.step != nullptr && scope.step->deadline != 0
                                            : is(scope, scope_kind::timed);
      if (timed && scope.expired) {
        how = end_kind::failure;
        failure = "timeout";
      } else if (&scope != task.own) {
        how = end_kind::value;
      }
    }
    const tree_step* left = task.frames.back().opened_by;
    task.frames.pop_back();
    if (task.frames.empty()) {
      end_task(task, how, failure);
    } else if (how == end_kind::value) {
      go_on(task);
    } else if (how == end_kind::failure && left->caught) {
      history_.caught[left->id] = failure;
      go_on(task);
    } else {
      end_body(task, how, failure);
    }
  }

  void end_task(actor& task, end_kind how, const std::string& failure) {
    task.ended = true;
    if (task.parent_group == nullptr) {
      history_.end = now_;
      return;
    }
    const task_status status = how == end_kind::value     ? task_status::completed
                               : how == end_kind::failure ? task_status::failed
                                                          : task_status::cancelled;
    history_.tasks[task.id] = {status, failure};
    node& group = *task.parent_group;
    if (how == end_kind::failure) {
      if (is(group, scope_kind::supervisor)) {
        history_.handled.emplace(group.step->id, failure);
      } else {
        group.failures.push_back(failure);
        if (is(group, scope_kind::group)) {
          group.requested = true;
        }
      }
    }
    --group.children;
    if (group.host->frames.back().scope == &group) {
      close_if_empty(*group.host);
    }
  }

  // Stops all who sleep below a cancelled scope.
  void deliver() {
    for (bool again = true; again;) {
      again = false;
      for (std::size_t i = 0; i != actors_.size(); ++i) {
        actor& task = actors_[i];
        if (!task.ended && task.until != 0 && cancelled(task.frames.back().scope)) {
          task.until = 0;
          end_body(task, end_kind::stop, {});
          again = true;
        }
      }
    }
  }

  // The next wake or deadline; false if there is none.
  bool next_event() {
    actor* wakes = nullptr;
    node* expires = nullptr;
    long soonest = 0;
    for (actor& each : actors_) {
      if (!each.ended && each.until != 0 && (soonest == 0 || each.until < soonest)) {
        soonest = each.until;
        wakes = &each;
      }
    }
    for (node& each : nodes_) {
      if (each.open && each.deadline != 0 && (soonest == 0 || each.deadline < soonest)) {
        soonest = each.deadline;
        wakes = nullptr;
        expires = &each;
      }
    }
    if (soonest == 0) {
      return false;
    }
    now_ = soonest;
    if (wakes != nullptr) {
      history_.wakes[wakes->asleep_in] = now_;
      wakes->until = 0;
      go_on(*wakes);
    } else {
      expires->deadline = 0;
      expires->expired = !expires->requested;
      expires->requested = true;
    }
    return true;
  }

  const tree_program& program_;
  tree_history history_;
  long now_ = 0;
  std::deque<node> nodes_;
  std::deque<actor> actors_;
  std::vector<node*> open_scopes_;
  std::vector<node*> open_tasks_;
};

}  // namespace coppice::testing_support
