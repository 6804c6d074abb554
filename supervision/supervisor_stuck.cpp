// Children that are still there when their time is over: who they are, and what becomes of them.
#include "supervision/overseer.h"
#include "supervision/task_list.h"

#include <coppice/detail/supervisor_core.h>
#include <coppice/detail/worker_core.h>
#include <coppice/executor.h>

#include <cstdio>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

stuck_child stuck_of(const task_ref& task, const calls_in_flight& calls) {
  const outcome_cell& cell = handle_access::cell(task, "shutdown");
  std::string what = calls.waiting_for(cell.id(), cell.waiting_for());
  return {task, std::string(cell.name()), cell.site(), what.empty() ? "running" : std::move(what)};
}

// The children that live now, under either of the nodes.
std::vector<stuck_child> children_of(const cancel_node* one, const cancel_node* other,
                                     const worker_core& here) {
  std::vector<stuck_child> children;
  const calls_in_flight calls(executor_of(here));
  for (const task_ref& each : executor_of(here).live_tasks()) {
    const cancel_node* const above = handle_access::cell(each, "shutdown").keeper().node();
    if (above == one || above == other) {
      children.push_back(stuck_of(each, calls));
    }
  }
  return children;
}

void print_stuck(const scope_core& of, const std::vector<stuck_child>& stuck) noexcept {
  try {
    std::string text = std::string("coppice: ") + of.kind() + ' ';
    if (!of.name().empty()) {
      text.append("\"").append(of.name()).append("\" ");
    }
    text += "waits for " + std::to_string(stuck.size()) +
            " task(s) that were asked to stop and are still there:\n";
    for (const stuck_child& each : stuck) {
      text += "task " + std::to_string(static_cast<std::uint64_t>(each.task.id()));
      if (!each.name.empty()) {
        text += " \"" + each.name + '"';
      }
      text += each.waiting_for == "running" ? " running" : " suspended on " + each.waiting_for;
      if (*each.site.file != '\0') {
        text +=
            std::string(", spawned at ") + each.site.file + ':' + std::to_string(each.site.line);
      }
      text += '\n';
    }
    std::fputs(text.c_str(), stderr);
  } catch (...) {
    std::fputs(
        "coppice: a supervisor waits for tasks that were asked to stop and are still there\n",
        stderr);
  }
}

}  // namespace

// Specified children have their own time, unless the caller has given one for all of them.
void supervisor_core::end_grace(worker_core& here) noexcept {
  if (!enter_open()) {
    return;
  }
  bool overseen = false;
  {
    std::vector<stuck_child> stuck;
    try {
      stuck = children_of(&node(), nullptr, here);
    } catch (...) {
      stuck.clear();  // No memory to name them.
    }
    const std::lock_guard lock(mutex_);
    overseen = overseers_ != 0;
    grace_over_ = true;
    if (stuck_ != on_stuck::leave_to_root && !(overseen && stuck.empty())) {
      std::move(stuck.begin(), stuck.end(), std::back_inserter(report_.stuck));
      print_stuck(*this, report_.stuck);
      if (stuck_ == on_stuck::terminate) {
        std::terminate();
      }
    }
    overseen = overseen && bounds_all_ && stuck_ != on_stuck::wait;
  }
  if (overseen) {
    known_overseer()->hurry();
  }
  leave_if_due(here);
  leave();
}

// Under the lock. Once no overseer runs: who is there then is stuck.
bool supervisor_core::to_leave_now() noexcept {
  const bool alone = left_behind_ != 0 && size() <= left_behind_ && cancelled();
  return overseers_ == 0 && !to_be_left_ && (grace_over_ || alone) &&
         stuck_policy() == on_stuck::leave_to_root;
}

void supervisor_core::leave_if_due(worker_core& here) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!to_leave_now() || !enter_open()) {
      return;
    }
  }
  std::vector<stuck_child> stuck;
  try {
    const overseer* const oversees = known_overseer();
    stuck = children_of(&node(), oversees != nullptr ? &oversees->children_node() : nullptr, here);
  } catch (...) {
    stuck.clear();  // No memory to name them.
  }
  bool due = false;
  bool body_stuck = false;
  {
    const std::lock_guard lock(mutex_);
    due = to_leave_now();
    if (due) {
      report_.stuck = std::move(stuck);
      to_be_left_ = true;
      body_stuck = !body_left_;
    }
  }
  if (due && !body_stuck) {
    post_leaving();
    return;
  }
  if (due) {  // The body keeps the host, but not whoever waits for the shutdown.
    tell_waiters();
  }
  leave();
}

// Whoever leaves a host to go on touches nothing of it afterwards: so the body is counted until this has been seen, or
// what it counts is the job's.
bool supervisor_core::leave_body() noexcept {
  const core_ref kept = core_ref::share(this);
  const std::lock_guard lock(mutex_);
  body_left_ = true;
  if (to_be_left_) {
    post_leaving();
    return false;
  }
  return leave_last();
}

// A step of its own, as it waits for those that climb. It has been counted in.
void supervisor_core::post_leaving() noexcept {
  add_reference();
  executor_pin(home()).post(leaving_);
}

// The children count with the root as well, which goes on waiting for them.
void supervisor_core::leave_children(worker_core& here) noexcept {
  leaving();
  scope_joiner& host = leave_to_root(last_, here);
  left_.store(true, std::memory_order_release);  // SV1
  here.post(host);
  tell_waiters();
  leave();
}

on_stuck supervisor_core::stuck_policy() const noexcept {
  return phase_ == phase::open ? usual_.stuck : stuck_;
}

on_stuck supervisor_core::name_stuck(const task_ref& child) noexcept {
  std::vector<stuck_child> named;
  try {
    named.push_back(stuck_of(child, calls_in_flight(executor_of(*this_worker()))));
  } catch (...) {
    named.clear();  // No memory to name it.
  }
  const bool ends = cancelled();
  const std::lock_guard lock(mutex_);
  const on_stuck how = stuck_policy();
  if (how != on_stuck::leave_to_root || !ends) {
    print_stuck(*this, named);
  }
  if (how == on_stuck::terminate) {
    std::terminate();
  }
  if (how == on_stuck::wait && phase_ != phase::open) {
    std::move(named.begin(), named.end(), std::back_inserter(report_.stuck));
  }
  return how;
}

void supervisor_core::leave_one_behind() noexcept {
  const std::lock_guard lock(mutex_);
  ++left_behind_;
}

void supervisor_core::left_one_has_ended() noexcept {
  const std::lock_guard lock(mutex_);
  --left_behind_;
}

}  // namespace coppice::inline v0::detail
