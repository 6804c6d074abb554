// A sequential model of supervisors that restart, by the rules of Erlang/OTP, one event at a time.
//
// It shares nothing with the library but the names of strategies and the like. A program is the same under
// any schedule unless two things that happen by themselves at one time touch one supervisor: then the model
// says that it is ambiguous.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/restart_supervisors.h"

namespace coppice::testing_support {

class restart_model : restart_supervisors {
 public:
  explicit restart_model(const restart_program& program) : restart_supervisors(program) {}

  restart_history run() {
    open(program_.root, nullptr);
    for (const restart_request& each : program_.requests) {
      const long when = slot_behind(each.after, each.slot, program_.modulus);
      if (when < program_.end) {
        add_timer(when, [this, &each] { ask(each); });
      }
    }
    add_timer(program_.end, [this] { end_tree(); });
    pass_time();
    history_.normalize(crowded_);
    return std::move(history_);
  }

  using restart_stage::ambiguous;
  using restart_stage::corners;
  using restart_stage::crowded;

 private:
  // ---- Bodies, and what they call ---------------------------------------------------------------

  void begin_body(supervisor_state& s) override {
    s.phase = supervisor_phase::open;
    if (s.plan->form == restart_form::bodiless) {
      s.body = body_phase::returned;
      return;
    }
    s.body = body_phase::running;
    s.body_since = now_;
    note_body(s, "begins");
    if (s.host != nullptr && s.host->phase == child_phase::starting) {
      crowded_.insert(now_);  // Both supervisors go on.
      started(*s.host);
    }
    next_call(s);
  }

  void next_call(supervisor_state& s) {
    if (s.body != body_phase::running || s.body_next == s.plan->body.size()) {
      return;
    }
    const restart_step& step = s.plan->body[s.body_next++];
    s.body_due = at_slot(step.slot, [this, &s, &step] { call(s, step); });
  }

  void call(supervisor_state& s, const restart_step& step) {
    touch(s);
    switch (step.call) {
      case restart_call::look:
        note_body(s, describe(s));
        next_call(s);
        break;
      case restart_call::spawn:
        if (s.phase == supervisor_phase::open) {
          spawn(s, step);
        }
        next_call(s);
        break;
      case restart_call::cancel:
        cancel_child(s, step.child);
        next_call(s);
        break;
      case restart_call::end:
        end_body(s, step);
        break;
      default:
        if (s.phase == supervisor_phase::draining) {
          next_call(s);
          break;
        }
        s.inbox.push_back({news::call, nullptr, &step});
        go_on(s);
    }
  }

  // By the handle of its task.
  void cancel_child(supervisor_state& s, int id) {
    child_state* const c = find(s, id);
    if (c != nullptr && (c->phase == child_phase::starting || c->phase == child_phase::running)) {
      meet(restart_corner::cancelled_by_name);
      meet(restart_corner::cancelled_in_start, c->phase == child_phase::starting);
      cancel(*c);
    }
  }

  void end_body(supervisor_state& s, const restart_step& step) {
    const bool failed = step.end == restart_end::fails;
    s.body = failed ? body_phase::failed : body_phase::returned;
    note_body(s, failed ? "failed" : "ended");
    failed ? close(s, restart_end::fails, "b" + std::to_string(s.plan->id)) : go_on(s);
  }

  void spawn(supervisor_state& s, const restart_step& step) {
    const auto ends = [this, &s, &step] {
      std::erase_if(s.spawned, [&](const spawned_state& each) { return each.step == &step; });
      end_spawned(s, step, step.end);
      go_on(s);
    };
    s.spawned.push_back({&step, at_slot(step.end_slot, ends)});
  }

  void answer(supervisor_state& s, const restart_step& step) override {
    const bool starts = step.call == restart_call::start;
    child_state* c = find(s, starts ? step.added.front().id : step.child);
    const bool idle = c != nullptr && c->phase == child_phase::idle;
    if (starts ? c != nullptr : step.call == restart_call::terminate ? c == nullptr : !idle) {
      reply(s, step, "usage");
      return;
    }
    if (step.call == restart_call::remove) {
      drop(*c);
      reply(s, step, "ok");
      return;
    }
    if (starts) {
      c = &add_child(s, step.added.front());
    }
    s.steps.push_back({step.call == restart_call::terminate, c});
    s.then = [this, &s, &step] { reply(s, step, "ok"); };
    s.start_failed = [this, &s, &step, starts](child_state& failed) {
      if (starts) {
        drop(failed);
      }
      reply(s, step, start_failure(failed.failure));
    };
  }

  void reply(supervisor_state& s, const restart_step& step, const std::string& said) {
    const int id = step.added.empty() ? step.child : step.added.front().id;
    note_body(s, call_name(step.call) + " " + child_name(id) + ": " + said);
    next_call(s);
  }

  // ---- From outside -----------------------------------------------------------------------------

  void ask(const restart_request& request) {
    for (supervisor_state& each : supervisors_) {
      const bool lives =
          each.phase == supervisor_phase::open || each.phase == supervisor_phase::draining;
      if (each.plan->id == request.supervisor && lives &&
          each.plan->form != restart_form::bodiless) {
        meet(restart_corner::asked_outside);
        request.cancel || each.plan->drain == 0 ? close(each, restart_end::returns) : drain(each);
        return;
      }
    }
  }

  // Takes nothing more on, and lets what runs finish for a while.
  void drain(supervisor_state& s) {
    touch(s);
    if (s.phase != supervisor_phase::open) {
      return;
    }
    if (!s.steps.empty()) {
      doubt();  // Nobody promises what becomes of what it is about.
      return;
    }
    meet(restart_corner::drained);
    s.phase = supervisor_phase::draining;
    for (child_state* each : s.children) {
      if (each->phase == child_phase::waiting) {
        stop(*each);
      }
    }
    s.drained = add_timer(now_ + s.plan->drain, [this, &s] { close(s, restart_end::returns); });
    go_on(s);
  }

  void end_tree() {
    root_->asked = true;
    close(*root_, restart_end::returns);
  }
};

}  // namespace coppice::testing_support
