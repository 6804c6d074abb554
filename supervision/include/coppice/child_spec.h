// How a supervisor starts, stops and restarts one child, and what it tells of its children.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/export.h>
#include <coppice/detail/start_gate.h>
#include <coppice/outcome.h>
#include <coppice/site.h>
#include <coppice/task.h>
#include <coppice/task_handle.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace coppice::inline v0 {

// Whether a child that has ended is started again.
enum class restart_type {
  permanent,  // Always.
  transient,  // If it has failed. One that has returned, or was cancelled, keeps its spec and can be restarted by hand.
  temporary,  // Never; its spec goes with it.
};

// Who is started again with it.
enum class restart_strategy {
  one_for_one,  // Nobody.
  one_for_all,  // All: the others are stopped in reverse order of their start, then all are started in order.
  rest_for_one,  // Those behind it in the order of their start, likewise.
};

// Whether the end of significant children, by themselves, shuts the supervisor down.
enum class shutdown_trigger {
  never,            // Takes no significant children.
  any_significant,  // As soon as one has ended for good.
  all_significant,  // When the last has.
};

enum class child_type { worker, supervisor };

// The delay before a restart: initial, times factor each time up to max, then longer or shorter by a share of at most
// jitter. Starts anew after a child has run for reset_after. Aggregate; usage_error, where the spec is given to a
// supervisor, for initial, max or reset_after below zero, a factor below 1, a jitter outside 0 to 1.
struct backoff_policy {
  duration initial = duration::zero();  // Zero: at once, always.
  double factor = 2;
  duration max = std::chrono::seconds(30);
  double jitter = 0.1;
  duration reset_after = std::chrono::seconds(30);
  std::uint64_t seed = 0;  // Of the jitter. 0: the runtime's; that of a test_runtime is its own.
};

namespace detail {

// What a spec says.
struct COPPICE_EXPORT child_terms {
  std::string id;
  std::function<task<>(start_gate&)> gated_start;  // One of the two,
  std::function<task<>()> start;                   // or none: no supervisor takes that.
  source_site site;
  std::optional<duration> shutdown = {};
  restart_type restart = restart_type::permanent;
  child_type type = child_type::worker;
  bool significant = false;
  backoff_policy backoff = {};

  // The time that the child is given to stop.
  duration grace() const noexcept;
};

struct spec_access;

}  // namespace detail

// How to start, restart and stop one child. Owns what it is given; `start` is called once for each start, never twice at a
// time while the child keeps to its shutdown time, and is kept as long as a child of it lives. With a gate the child
// counts as started when it says started(), else when it is spawned. One that returns without having said so is
// ignored: it is not running, nor has it failed.
class COPPICE_EXPORT child_spec {
 public:
  child_spec(std::string id, std::function<task<>(start_gate&)> start,
             source_site site = source_site::current());
  child_spec(std::string id, std::function<task<>()> start,
             source_site site = source_site::current());

  // Default permanent.
  child_spec& restart(restart_type type) & noexcept;
  child_spec&& restart(restart_type type) && noexcept;

  // How long it is waited for when it is stopped, before it is reported as stuck; if it is to be waited for even then,
  // shields protect it no more. Default 5 s, `forever` for supervisors. 0: brutal, it is stopped at once, shields
  // overridden. Handlers of on_exit have their own grace in any case.
  child_spec& shutdown(duration grace) & noexcept;
  child_spec&& shutdown(duration grace) && noexcept;

  // Default worker.
  child_spec& type(child_type type) & noexcept;
  child_spec&& type(child_type type) && noexcept;

  // Not for permanent children, nor in a supervisor whose auto_shutdown is never: usage_error where it is given to one.
  child_spec& significant(bool significant = true) & noexcept;
  child_spec&& significant(bool significant = true) && noexcept;

  child_spec& backoff(backoff_policy policy) & noexcept;
  child_spec&& backoff(backoff_policy policy) && noexcept;

  // As long as the spec is, and is not assigned to.
  std::string_view id() const noexcept { return terms_.id; }

 private:
  friend struct detail::spec_access;

  detail::child_terms terms_;
};

namespace detail {

struct spec_access {
  static child_terms& terms(child_spec& of) noexcept { return of.terms_; }
  static const child_terms& terms(const child_spec& of) noexcept { return of.terms_; }
};

}  // namespace detail

struct child_info {
  std::string id;  // Empty for one that spawn started.
  task_ref task;   // Empty: not running.
  child_type type = child_type::worker;
  bool restarting = false;  // It waits for its next start.
  unsigned restarts = 0;
};

struct child_counts {
  std::size_t specs = 0;        // Running or not.
  std::size_t active = 0;       // Running, those that spawn started among them.
  std::size_t supervisors = 0;  // By their type, running or not.
  std::size_t workers = 0;      // The same; and those that spawn started.
};

// One restart that has been decided on. The failure that led to it has been reported by itself.
struct restart_report {
  std::string supervisor;
  std::string id;  // The child ...
  task_status ended =
      task_status::completed;  // ... how it ended: completed, failed or cancelled ...
  error_entry failure;         // ... why, with its context, if it failed ...
  cancel_reason reason = detail::reason_access::none();  // ... or if it was cancelled.
  unsigned restarts = 0;                                 // Of this child, with this one.
  unsigned recent = 0;  // Of the supervisor's children within its period, with this one.
  duration delay{};     // Until the next try.
};

// Called on a worker, between two steps of the supervisor. What it throws is reported to the error handler.
using restart_handler = std::function<void(const restart_report&)>;

}  // namespace coppice::inline v0
