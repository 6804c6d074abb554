// Trees of supervisors that restart, what their children do, and what can be seen of such a tree.
#pragma once

#include <coppice/supervisor.h>

#include <cstddef>
#include <list>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace coppice::testing_support {

// ---- Programs -----------------------------------------------------------------------------------

// How something comes to its end by itself; `none`: it does not.
enum class restart_end { none, returns, fails };

// What one start of a child leads to.
struct restart_life {
  restart_end at_start = restart_end::none;  // Instead of saying that it has started; gated ones.
  restart_end later = restart_end::none;
  int rounds = 0;  // Of time, before the slot at which it ends.
};

// What a child does when it is asked to stop.
enum class restart_stop { prompt, slow, fails };

struct restart_supervisor;

// Its times are residues: what it does next happens at the next time that leaves this one.
struct restart_child {
  int id = 0;
  bool gated = false;
  restart_type restart = restart_type::permanent;
  bool significant = false;
  bool brutal = false;
  restart_stop stop = restart_stop::prompt;
  int start_slot = 0;
  int life_slot = 0;
  int stop_slot = 0;
  std::vector<restart_life> lives = {};  // The last one again and again.
  long delay = 0;                        // Before a restart; then twice as long, up to
  long longest_delay = 0;
  long healthy_after = 0;
  std::vector<restart_supervisor> inner;  // At most one: then it is a supervisor's child.
};

enum class restart_call { look, terminate, restart, remove, start, cancel, spawn, end };

// What a supervisor's body does next, and when.
struct restart_step {
  restart_call call = restart_call::look;
  int slot = 0;
  int child = 0;                        // The id that is meant.
  restart_end end = restart_end::none;  // Of what is spawned; of the body itself.
  int end_slot = 0;                     // Of what is spawned.
  std::vector<restart_child> added;     // start: exactly one.
};

// How it is run.
enum class restart_form {
  plain,
  grouped,   // In a group of its own.
  bodiless,  // By supervise(): nothing is asked of it, nor are its restarts heard of.
};

struct restart_supervisor {
  int id = 0;
  restart_form form = restart_form::plain;
  restart_strategy strategy = restart_strategy::one_for_one;
  unsigned max_restarts = 3;
  long period = 1;
  shutdown_trigger auto_shutdown = shutdown_trigger::never;
  long drain = 0;  // How long a shutdown lets children finish.
  std::vector<restart_child> children = {};
  std::vector<restart_step> body = {};  // Then it waits to be stopped.
};

// What is asked from outside, of a supervisor whose body has begun: of another it is not.
struct restart_request {
  int supervisor = 0;
  int slot = 0;
  long after = 0;       // The slot that is meant is the first behind this time.
  bool cancel = false;  // Rather than a shutdown.
};

struct restart_program {
  restart_supervisor root = {};
  std::vector<restart_request> requests = {};  // In order of time.
  long end = 0;                                // Then what is above the tree is cancelled.
  long modulus = 1;                            // More than there are residues.
  int children = 0;
};

// The first time behind `now` that is this residue's.
inline long slot_behind(long now, int residue, long modulus) {
  const long from = now + 1;
  const long slot = from - from % modulus + residue;
  return slot >= from ? slot : slot + modulus;
}

// ---- What happened ------------------------------------------------------------------------------

struct restart_event {
  long when = 0;
  int supervisor = 0;
  std::string what = {};
  bool unordered = false;  // Begun together with others.

  friend bool operator==(const restart_event&, const restart_event&) = default;
};

struct restart_history {
  std::vector<restart_event> children;             // Starts and ends of those with specs.
  std::map<int, std::vector<std::string>> bodies;  // What each supervisor's body met.
  std::multiset<std::string> spawned;              // How the others ended.
  std::multiset<std::string> reports;
  std::multiset<std::string> restarts;
  std::string outcome;

  friend bool operator==(const restart_history&, const restart_history&) = default;

  // Where order is not defined what happened at one time is sorted: tasks that begin at once; and all
  // that happened at `crowded` times, when things happen independently in several supervisors, but
  // for what happened in one of them.
  void normalize(const std::set<long>& crowded) {
    std::list<restart_event> sorted(children.begin(), children.end());  // Whose sort is stable.
    sorted.sort([&](const auto& a, const auto& b) {
      if (a.when != b.when || a.unordered != b.unordered) {
        return std::tie(a.when, a.unordered) < std::tie(b.when, b.unordered);
      }
      if (a.unordered) {
        return a.what < b.what;
      }
      return crowded.contains(a.when) && a.supervisor < b.supervisor;
    });
    children.assign(sorted.begin(), sorted.end());
  }
};

// Names, and what failures say.
inline std::string child_name(int id) {
  return "c" + std::to_string(id);
}

inline std::string supervisor_name(int id) {
  return "s" + std::to_string(id);
}

inline std::string child_failure(int id, int start) {
  return "f" + std::to_string(id) + "." + std::to_string(start);
}

inline std::string start_failure(const std::string& cause) {
  return "start(" + cause + ")";
}

inline std::string group_failure(const std::string& only) {
  return "{" + only + "}";
}

inline std::string limit_failure(const std::string& child, unsigned restarts,
                                 const std::string& cause) {
  return "limit(" + child + "," + std::to_string(restarts) + "," + cause + ")";
}

// What is told of a restart: which of the child it is, of how many lately, and how long it waits.
inline std::string restart_text(long when, const std::string& supervisor, const std::string& child,
                                const std::string& ended, const std::string& failure,
                                unsigned restarts, std::size_t recent, long delay) {
  return std::to_string(when) + " " + supervisor + " " + child + ended + " '" + failure + "' " +
         std::to_string(restarts) + "/" + std::to_string(recent) + " +" + std::to_string(delay);
}

inline std::string call_name(restart_call call) {
  return call == restart_call::terminate ? "terminate"
         : call == restart_call::restart ? "restart"
         : call == restart_call::remove  ? "delete"
                                         : "start";
}

inline std::string counts_text(std::size_t specs, std::size_t active, std::size_t supervisors,
                               std::size_t workers) {
  return "of " + std::to_string(specs) + ": " + std::to_string(active) + ", " +
         std::to_string(supervisors) + "+" + std::to_string(workers);
}

}  // namespace coppice::testing_support
