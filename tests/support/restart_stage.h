// The time of the model of supervisors that restart, how all of them stand, and what is seen of it.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/restart_program.h"

namespace coppice::testing_support {

// What a program may come to that is worth a test.
enum class restart_corner {
  last_allowed,       // As many restarts within the period as there may be.
  window_edge,        // One of them exactly a period ago.
  window_slid,        // One of them longer ago.
  limit,              // One more.
  escalation,         // Whose cause is another's limit.
  start_undone,       // A first start failed, and others had to be stopped.
  ignored,            // A child returned rather than say that it has started.
  start_failed,       // A restart's start failed.
  start_failed_late,  // In the midst of several.
  stopped_in_start,   // A supervisor, in the midst of a start,
  stopped_in_stop,    // of stops,
  stopped_in_delay,   // while a child is to be restarted later.
  ended_unheard,      // A child ended while its supervisor was busy;
  ended_and_stopped,  // and was to be stopped before that was heard.
  temporary_lost,     // Stopped for a sibling's sake.
  finished_again,     // A transient child that had ended well was started for a sibling's sake.
  delay_cut,          // A sibling's restart came before the delay was over.
  delay_doubled,
  delay_reset,  // After health.
  any_significant,
  all_significant,
  all_ended,          // A supervisor ended for having nothing left.
  cancelled_by_name,  // A child, by its task.
  cancelled_in_start,
  drained,        // A shutdown lets children finish;
  drained_early,  // all did.
  failed_in_shutdown,
  asked_outside,
  count,
};

using restart_corners = std::bitset<static_cast<std::size_t>(restart_corner::count)>;

class restart_stage {
 protected:
  explicit restart_stage(const restart_program& program)
      : program_(program), starts_(static_cast<std::size_t>(program.children)) {}

  // Two things that happened by themselves at one time touched one supervisor.
  bool ambiguous() const { return ambiguous_; }

  void doubt(bool really = true) { ambiguous_ = ambiguous_ || really; }

  // When several things happened by themselves.
  const std::set<long>& crowded() const { return crowded_; }

  const restart_corners& corners() const { return corners_; }

  void meet(restart_corner which, bool met = true) {
    if (met) {
      corners_.set(static_cast<std::size_t>(which));
    }
  }

  struct supervisor_state;

  using timer = std::pair<long, long>;  // When, and a number.

  enum class child_phase { idle, starting, running, stopping, ended, waiting };

  struct child_state {
    const restart_child* spec = nullptr;
    supervisor_state* in = nullptr;
    child_phase phase =
        child_phase::idle;              // ended: by itself, of which its supervisor has not heard.
    supervisor_state* inner = nullptr;  // Of its last start.
    int start = 0;
    restart_end how = restart_end::none;  // Its last end; none: it was stopped.
    std::string failure = {};
    long begun = 0;   // When it began,
    long since = 0;   // Running since.
    long health = 0;  // How long it has been, at its end.
    long delay = 0;
    unsigned restarts = 0;
    timer due = {};
    bool asked = false;       // To stop, by whomever.
    bool restarting = false;  // Until it has started.
  };

  struct spawned_state {
    const restart_step* step;
    timer due;
  };

  struct plan_step {
    bool stops;
    child_state* child;
    bool again = false;
    bool begun = false;
  };

  // Something a supervisor has yet to hear of.
  enum class news { ended, failed_again, delay_over, call };
  struct message {
    news what;
    child_state* child;
    const restart_step* call = nullptr;
  };

  enum class supervisor_phase { starting, open, draining, closing, closed };
  enum class body_phase { none, running, returned, failed, stopped };

  struct supervisor_state {
    const restart_supervisor* plan = nullptr;
    child_state* host = nullptr;  // None: the root.
    supervisor_phase phase = supervisor_phase::starting;
    restart_end how = restart_end::none;
    std::string failure = {};
    std::vector<child_state*> children = {};
    std::vector<spawned_state> spawned = {};
    std::deque<message> inbox = {};
    std::deque<plan_step> steps = {};
    std::function<void()> then = {};  // Behind the steps.
    std::function<void(child_state&)> start_failed = {};
    std::vector<long> restarts = {};
    body_phase body = body_phase::none;
    std::size_t body_next = 0;
    long body_since = 0;
    timer body_due = {};
    timer drained = {};
    bool busy = false;
    bool asked = false;  // To stop, from above.
  };

  // ---- Time -------------------------------------------------------------------------------------

  timer add_timer(long when, std::function<void()> fires) {
    const timer made{when, ++timers_made_};
    timers_.emplace(made, std::move(fires));
    return made;
  }

  timer at_slot(int residue, std::function<void()> fires) {
    return at_slot(residue, 0, std::move(fires));
  }

  timer at_slot(int residue, int rounds, std::function<void()> fires) {
    const long behind = now_ + rounds * program_.modulus;
    return add_timer(slot_behind(behind, residue, program_.modulus), std::move(fires));
  }

  void end_timer(timer which) {
    if (timers_.erase(which) != 0 && which.first == now_) {
      doubt();  // It might have fired before.
    }
  }

  void touch(const supervisor_state& s) {
    if (touched_.emplace(&s, cause_).first->second != cause_) {
      doubt();
    }
  }

  // Until the tree has ended.
  void pass_time() {
    while (!finished_) {
      if (timers_.empty()) {
        throw std::logic_error("the model has come to a standstill");
      }
      const auto first = timers_.begin();
      if (first->first.first != now_) {
        now_ = first->first.first;
        touched_.clear();
        cause_ = 0;
      } else {
        crowded_.insert(now_);
        ++cause_;
      }
      const std::function<void()> fires = std::move(first->second);
      timers_.erase(first);
      fires();
    }
  }

  // ---- What is seen -----------------------------------------------------------------------------

  static const char* word_for(restart_end how) {
    return how == restart_end::none ? " stopped" : how == restart_end::fails ? " failed" : " ended";
  }

  void note(const child_state& c, const std::string& what, bool unordered = false) {
    history_.children.push_back({now_, c.in->plan->id, child_name(c.spec->id) + what, unordered});
  }

  void note_body(const supervisor_state& s, const std::string& what) {
    history_.bodies[s.plan->id].push_back(std::to_string(now_) + " " + what);
  }

  void report(const supervisor_state& s, const std::string& child, const std::string& failure) {
    history_.reports.insert(std::to_string(now_) + " " + supervisor_name(s.plan->id) + " " + child +
                            " " + failure);
  }

  void note_restart(const child_state& c) {
    const supervisor_state& s = *c.in;
    if (s.plan->form == restart_form::bodiless || s.body_since == now_) {
      return;  // Perhaps it has not said yet that it wants to hear of it.
    }
    history_.restarts.insert(restart_text(now_, supervisor_name(s.plan->id), child_name(c.spec->id),
                                          word_for(c.how), c.failure, c.restarts + 1,
                                          s.restarts.size(), c.delay));
  }

  void end_spawned(supervisor_state& s, const restart_step& step, restart_end how) {
    const std::string name = "x" + std::to_string(step.end_slot);
    history_.spawned.insert(std::to_string(now_) + " " + name + word_for(how));
    if (how == restart_end::fails) {
      report(s, name, name);
    }
  }

  static std::string describe(const supervisor_state& s) {
    std::string text;
    std::size_t active = 0;
    std::size_t supervisors = 0;
    for (const child_state* each : s.children) {
      const child_phase phase = each->phase;
      const bool runs = phase != child_phase::idle && phase != child_phase::ended &&
                        phase != child_phase::waiting;
      active += runs ? 1 : 0;
      supervisors += each->spec->inner.empty() ? 0 : 1;
      text += child_name(each->spec->id) +
              (each->restarting ? "~"
               : runs           ? "+"
                                : "-") +
              std::to_string(each->restarts) + " ";
    }
    const std::size_t specs = s.children.size();
    return text + counts_text(specs, active + s.spawned.size(), supervisors,
                              specs - supervisors + s.spawned.size());
  }

  // ---- Children of a supervisor ---------------------------------------------------------------

  const restart_life& life_of(const child_state& c) const {
    const std::size_t start = static_cast<std::size_t>(c.start);
    return c.spec->lives[std::min(start, c.spec->lives.size() - 1)];
  }

  child_state& add_child(supervisor_state& s, const restart_child& spec) {
    child_state& made = children_.emplace_back();
    made.spec = &spec;
    made.in = &s;
    s.children.push_back(&made);
    return made;
  }

  void drop(child_state& c) { std::erase(c.in->children, &c); }

  // It has returned rather than say that it has started.
  void ignored(child_state& c) {
    meet(restart_corner::ignored);
    c.restarting = false;
    if (c.spec->restart == restart_type::temporary) {
      drop(c);
    }
  }

  // Before its next restart.
  void set_delay(child_state& c) {
    meet(restart_corner::delay_reset, c.delay > c.spec->delay && c.health > c.spec->healthy_after);
    meet(restart_corner::delay_doubled,
         c.delay != 0 && c.health <= c.spec->healthy_after && c.delay < c.spec->longest_delay);
    if (c.delay == 0 || c.health > c.spec->healthy_after) {
      c.delay = c.spec->delay;
    } else {
      c.delay = std::min(2 * c.delay, c.spec->longest_delay);
    }
  }

  // Who is started again with it, itself among them.
  static std::vector<child_state*> concerned(const child_state& c) {
    const restart_strategy strategy = c.in->plan->strategy;
    std::vector<child_state*> all;
    bool behind = false;
    for (child_state* each : c.in->children) {
      behind = behind || each == &c;
      if (strategy == restart_strategy::one_for_all || each == &c ||
          (strategy == restart_strategy::rest_for_one && behind)) {
        all.push_back(each);
      }
    }
    return all;
  }

  child_state* find(const supervisor_state& s, int id) {
    for (child_state* each : s.children) {
      if (each->spec->id == id) {
        return each;
      }
    }
    return nullptr;
  }

  const restart_program& program_;
  restart_history history_;
  std::vector<int> starts_;  // Of each child, by its id.
  long now_ = 0;
  long timers_made_ = 0;
  std::map<timer, std::function<void()>> timers_;
  std::deque<child_state> children_;
  std::deque<supervisor_state> supervisors_;
  supervisor_state* root_ = nullptr;
  bool finished_ = false;
  int cause_ = 0;  // Of what happens at this time.
  std::map<const supervisor_state*, int> touched_;
  std::set<long> crowded_;
  bool ambiguous_ = false;
  restart_corners corners_;
};

}  // namespace coppice::testing_support
