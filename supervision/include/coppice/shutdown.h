// How a shutdown goes, and what it found.
#pragma once

#include <coppice/clock.h>
#include <coppice/site.h>
#include <coppice/task.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace coppice::inline v0 {

// What to do with a task that is still there after its grace. A live frame is never freed.
enum class on_stuck {
  wait,           // Go on waiting.
  leave_to_root,  // Return; it stands directly below the runtime from here on, whose end will wait for it. What it refers
                  // to has to be its own.
  terminate,      // End the process with a dump.
};

// Stop intake at once; let tasks finish for `drain`; cancel; after `grace` more, report the stuck and do as
// told.
struct shutdown_options {
  std::optional<duration> drain = {};  // Empty: none.
  std::optional<duration> grace = {};  // Empty: options.shutdown_timeout.
  std::optional<on_stuck> stuck = {};  // Empty: wait.
};

// A task; or, after a runtime's shutdown, a call of spawn_blocking that its task has left: that is none.
struct stuck_child {
  task_ref task;  // Empty for such a call.
  std::string name;
  source_site site;
  std::string waiting_for;  // As in dumps; "running" if it is in CPU code, or is such a call.
};

struct shutdown_report {
  std::size_t finished = 0;  // Ended by themselves while draining.
  std::size_t cancelled = 0;
  std::size_t failed = 0;
  std::vector<stuck_child> stuck;

  explicit operator bool() const noexcept { return stuck.empty(); }
};

}  // namespace coppice::inline v0
