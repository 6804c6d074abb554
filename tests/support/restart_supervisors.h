// How supervisors start, restart and stop their children, by the rules of Erlang/OTP: a part of the model.
//
// A supervisor does one thing after the other, however long that takes: what happens meanwhile waits in its
// inbox. What it is about is a plan, a row of stops and starts; a stop from above throws the plan away and
// makes another.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/restart_stage.h"

namespace coppice::testing_support {

class restart_supervisors : protected restart_stage {
 protected:
  explicit restart_supervisors(const restart_program& program) : restart_stage(program) {}
  ~restart_supervisors() = default;

  // All its children have started.
  virtual void begin_body(supervisor_state& s) = 0;

  // A call of its body's has come to its turn.
  virtual void answer(supervisor_state& s, const restart_step& step) = 0;

  // ---- Children ---------------------------------------------------------------------------------

  void begin(child_state& c) {
    c.start = starts_[static_cast<std::size_t>(c.spec->id)]++;
    c.phase = child_phase::starting;
    c.asked = false;
    c.begun = now_;
    note(c, " begins", !c.spec->gated);
    if (!c.spec->gated) {
      started(c);
    } else if (c.spec->inner.empty()) {
      c.due = at_slot(c.spec->start_slot, [this, &c] {
        const restart_end early = life_of(c).at_start;
        early == restart_end::none ? started(c) : end(c, early, child_failure(c.spec->id, c.start));
      });
    }
    if (!c.spec->inner.empty()) {
      if (!c.spec->gated) {
        crowded_.insert(now_);  // Its children begin while its own supervisor goes on.
      }
      open(c.spec->inner.front(), &c);
    }
  }

  void started(child_state& c) {
    c.phase = child_phase::running;
    c.restarting = false;
    c.since = now_;
    if (c.spec->inner.empty() && life_of(c).later != restart_end::none) {
      c.due = at_slot(c.spec->life_slot, life_of(c).rounds,
                      [this, &c] { end(c, life_of(c).later, child_failure(c.spec->id, c.start)); });
    }
    go_on(*c.in);
  }

  // How: none if it was stopped.
  void end(child_state& c, restart_end how, const std::string& failure) {
    doubt(c.begun == now_);  // Perhaps others begin first.
    note(c, word_for(how));
    const child_phase was = c.phase;
    c.how = how;
    c.failure = how == restart_end::fails ? failure : "";
    c.health = was == child_phase::running ? now_ - c.since : 0;
    c.phase = child_phase::idle;
    if (was != child_phase::starting && how == restart_end::fails) {
      report(*c.in, child_name(c.spec->id), c.failure);
    }
    meet(restart_corner::failed_in_shutdown,
         was == child_phase::stopping && c.how == restart_end::fails);
    if (was == child_phase::running) {
      meet(restart_corner::ended_unheard, !c.in->steps.empty());
      c.phase = child_phase::ended;
      c.in->inbox.push_back({news::ended, &c});
    }
    go_on(*c.in);
  }

  // What was to become of it.
  void forget(child_state& c) {
    std::erase_if(c.in->inbox, [&](const message& each) { return each.child == &c; });
    if (c.phase == child_phase::waiting) {
      end_timer(c.due);
    }
  }

  // Asks it to stop; its phase is idle when it has.
  void stop(child_state& c) {
    forget(c);
    meet(restart_corner::ended_and_stopped, c.phase == child_phase::ended);
    const bool lives = c.phase == child_phase::starting || c.phase == child_phase::running;
    if (lives) {
      c.phase = child_phase::stopping;
      cancel(c, c.spec->brutal);
    } else if (c.phase != child_phase::stopping) {
      c.phase = child_phase::idle;
      c.restarting = false;
    }
  }

  // It ends in the way that it is made for; by itself, as far as its supervisor knows.
  void cancel(child_state& c, bool brutal = false) {
    doubt(c.begun == now_);  // Perhaps it has not really begun.
    if (std::exchange(c.asked, true) && !(brutal && c.spec->inner.empty())) {
      return;
    }
    end_timer(c.due);
    if (!c.spec->inner.empty()) {
      c.inner->asked = true;
      close(*c.inner, restart_end::returns);
    } else if (c.spec->stop == restart_stop::fails) {
      end(c, restart_end::fails, child_failure(c.spec->id, c.start));
    } else if (c.spec->stop == restart_stop::slow && !brutal) {
      c.due = at_slot(c.spec->stop_slot, [this, &c] { end(c, restart_end::none, ""); });
    } else {
      end(c, restart_end::none, "");
    }
  }

  // ---- Supervisors ------------------------------------------------------------------------------

  void open(const restart_supervisor& plan, child_state* host) {
    supervisor_state& s = supervisors_.emplace_back();
    s.plan = &plan;
    s.host = host;
    (host == nullptr ? root_ : host->inner) = &s;
    for (const restart_child& each : plan.children) {
      s.steps.push_back({false, &add_child(s, each)});
    }
    s.start_failed = [this, &s](child_state& c) {
      meet(restart_corner::start_undone, s.children.front() != &c);
      close(s, restart_end::fails, start_failure(c.failure));
    };
    s.then = [this, &s] { begin_body(s); };
    go_on(s);
  }

  // Does what there is to do, until it has to wait.
  void go_on(supervisor_state& s) {
    touch(s);
    if (s.busy) {
      return;
    }
    s.busy = true;
    while (s.phase != supervisor_phase::closed && step_on(s)) {
    }
    s.busy = false;
  }

  bool step_on(supervisor_state& s) {
    if (!s.steps.empty()) {
      return s.steps.front().stops ? step_stop(s) : step_start(s);
    }
    if (s.then) {
      std::exchange(s.then, nullptr)();
      return true;
    }
    if (s.phase != supervisor_phase::open && s.phase != supervisor_phase::draining) {
      return false;
    }
    if (s.inbox.empty()) {
      return end_by_itself(s);
    }
    const message heard = s.inbox.front();
    s.inbox.pop_front();
    hear(s, heard);
    return true;
  }

  bool step_stop(supervisor_state& s) {
    child_state& c = *s.steps.front().child;
    stop(c);
    if (c.phase != child_phase::idle) {
      return false;
    }
    s.steps.pop_front();
    if (c.spec->restart == restart_type::temporary) {
      meet(restart_corner::temporary_lost, s.phase == supervisor_phase::open && !s.steps.empty());
      drop(c);
    }
    return true;
  }

  bool step_start(supervisor_state& s) {
    child_state& c = *s.steps.front().child;
    const bool rests = c.phase == child_phase::idle || c.phase == child_phase::waiting;
    if (!s.steps.front().begun && !rests) {
      s.steps.pop_front();  // Somebody has started it while its sibling waited.
      return true;
    }
    if (!s.steps.front().begun) {
      forget(c);
      s.steps.front().begun = true;
      c.restarts += s.steps.front().again ? 1 : 0;
      begin(c);
      return true;
    }
    if (c.phase == child_phase::starting) {
      return false;
    }
    s.steps.pop_front();
    if (c.phase == child_phase::idle && c.how == restart_end::returns) {
      ignored(c);
    } else if (c.phase == child_phase::idle) {
      s.steps.clear();
      s.then = nullptr;
      s.start_failed(c);
    }
    return true;
  }

  void hear(supervisor_state& s, const message& heard) {
    switch (heard.what) {
      case news::ended:
        child_ended(*heard.child);
        break;
      case news::failed_again:
        restart(*heard.child);
        break;
      case news::delay_over:
        start_again(*heard.child);
        break;
      case news::call:
        answer(s, *heard.call);
        break;
    }
  }

  void child_ended(child_state& c) {
    const restart_type type = c.spec->restart;
    supervisor_state& s = *c.in;
    const bool open = s.phase == supervisor_phase::open;
    if (!open) {
      // Nothing is restarted, nor is anything shut down for it.
    } else if (type == restart_type::permanent ||
               (type == restart_type::transient && c.how == restart_end::fails)) {
      restart(c);
      return;
    }
    c.phase = child_phase::idle;
    if (type == restart_type::temporary) {
      drop(c);
    }
    bool others = !open || s.plan->auto_shutdown == shutdown_trigger::never;
    for (const child_state* each : s.children) {
      others = others || (s.plan->auto_shutdown == shutdown_trigger::all_significant &&
                          each->spec->significant && each->phase != child_phase::idle);
    }
    if (c.spec->significant && !others) {
      meet(s.plan->auto_shutdown == shutdown_trigger::any_significant
               ? restart_corner::any_significant
               : restart_corner::all_significant);
      close(s, restart_end::returns);
    }
  }

  void restart(child_state& c) {
    supervisor_state& s = *c.in;
    c.phase = child_phase::waiting;
    c.restarting = true;
    const long oldest = now_ - s.plan->period;
    meet(restart_corner::window_slid, !s.restarts.empty() && s.restarts.front() < oldest);
    std::erase_if(s.restarts, [&](long each) { return each < oldest; });
    meet(restart_corner::window_edge, !s.restarts.empty() && s.restarts.front() == oldest);
    s.restarts.push_back(now_);
    if (s.restarts.size() > s.plan->max_restarts) {
      meet(restart_corner::limit);
      meet(restart_corner::escalation, c.failure.find("limit") != std::string::npos);
      c.phase = child_phase::idle;
      const auto restarts = static_cast<unsigned>(s.restarts.size());
      close(s, restart_end::fails, limit_failure(child_name(c.spec->id), restarts, c.failure));
      return;
    }
    meet(restart_corner::last_allowed, s.restarts.size() == s.plan->max_restarts);
    set_delay(c);
    note_restart(c);
    for (child_state* each : concerned(c)) {
      if (each != &c) {
        meet(restart_corner::delay_cut, each->phase == child_phase::waiting);
        s.steps.push_front({true, each});
      }
    }
    s.then = [this, &c] { c.delay == 0 ? start_again(c) : wait_for_restart(c); };
  }

  void wait_for_restart(child_state& c) {
    c.due = add_timer(now_ + c.delay, [this, &c] {
      auto& inbox = c.in->inbox;  // Those that are due come first.
      inbox.insert(std::find_if(inbox.begin(), inbox.end(),
                                [](const message& each) { return each.what != news::delay_over; }),
                   {news::delay_over, &c});
      go_on(*c.in);
    });
  }

  void start_again(child_state& c) {
    supervisor_state& s = *c.in;
    for (child_state* each : concerned(c)) {
      meet(restart_corner::finished_again,
           each->phase == child_phase::idle && each->how == restart_end::returns);
      s.steps.push_back({false, each, true});
    }
    s.start_failed = [this, &c](child_state& failed) {
      meet(&failed == &c ? restart_corner::start_failed : restart_corner::start_failed_late);
      if (failed.how == restart_end::fails) {
        report(*failed.in, child_name(failed.spec->id), failed.failure);
      }
      if (c.phase == child_phase::waiting) {
        c.phase = child_phase::idle;  // It comes with the one that failed.
        c.restarting = false;
      }
      failed.phase = child_phase::waiting;
      failed.restarting = true;
      failed.in->inbox.push_back({news::failed_again, &failed});
    };
  }

  // Stops the children in reverse order, and then ends in this way.
  void close(supervisor_state& s, restart_end how, const std::string& failure = "") {
    touch(s);
    if (s.phase >= supervisor_phase::closing) {
      // Is it a first start's failure that leaves it then, or a stop? Nobody says.
      doubt(s.body == body_phase::none && s.how == restart_end::fails);
      return;
    }
    for (const child_state* each : s.children) {
      meet(restart_corner::stopped_in_start, each->phase == child_phase::starting && s.asked);
      meet(restart_corner::stopped_in_stop, each->phase == child_phase::stopping);
      meet(restart_corner::stopped_in_delay, each->phase == child_phase::waiting);
    }
    s.phase = supervisor_phase::closing;
    s.how = how;
    s.failure = failure;
    end_timer(s.body_due);
    end_timer(s.drained);
    if (s.body == body_phase::running) {
      doubt(s.body_since == now_);
      s.body = body_phase::stopped;
      note_body(s, "stopped");
    }
    for (const spawned_state& each : s.spawned) {
      end_timer(each.due);
      end_spawned(s, *each.step, restart_end::none);
    }
    s.spawned.clear();
    s.steps.clear();
    // What it is about comes first.
    for (const bool busy : {false, true}) {
      for (child_state* each : s.children) {
        if (busy ==
            (each->phase == child_phase::starting || each->phase == child_phase::stopping)) {
          s.steps.push_front({true, each});
        }
      }
    }
    s.then = [this, &s] { end_supervisor(s); };
    go_on(s);
  }

  // Nothing in it is left, nor will be.
  bool end_by_itself(supervisor_state& s) {
    const bool drains = s.phase == supervisor_phase::draining;
    bool done = (drains || s.body == body_phase::returned) && s.spawned.empty();
    for (const child_state* each : s.children) {
      done = done && each->phase == child_phase::idle;
    }
    if (done) {
      meet(drains ? restart_corner::drained_early : restart_corner::all_ended);
      close(s, restart_end::returns);
    }
    return done;
  }

  void end_supervisor(supervisor_state& s) {
    s.phase = supervisor_phase::closed;
    const bool waits = s.plan->form == restart_form::bodiless || s.body != body_phase::returned;
    if (s.how == restart_end::returns && s.asked && waits) {
      s.how = restart_end::none;
    }
    if (s.how == restart_end::fails && s.plan->form == restart_form::grouped) {
      s.failure = group_failure(s.failure);
    }
    if (s.host != nullptr) {
      end(*s.host, s.how, s.failure);
      return;
    }
    finished_ = true;
    history_.outcome = std::to_string(now_) + word_for(s.how) + " " + s.failure;
  }
};

}  // namespace coppice::testing_support
