// The live tasks, as a snapshot or as text.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/export.h>
#include <coppice/site.h>
#include <coppice/task.h>

#include <iosfwd>
#include <string>
#include <vector>

namespace coppice::inline v0 {

enum class dump_format { text, json };

// One live task as it was when looked at. Tasks are what has a handle; inline awaits are frames of theirs.
struct task_info {
  task_ref task;
  task_id id = task_id::none;
  task_id parent = task_id::none;
  std::string name;
  std::string scope;      // The scope it was spawned into.
  unsigned restarts = 0;  // How often its supervisor has started it again.
  source_site site;
  task_status status = task_status::pending;
  duration age{};
  std::string waiting_for;  // "sleep_for", "spawn_blocking load", ...; empty unless suspended.
  duration waiting{};       // Since when, to about a millisecond.
  bool cancel_requested = false;  // Of it or a scope above, up to a shield.
  bool shielded = false;          // It has put up a shield against such requests.
};

// Every live task of the current task's runtime, parents before children; no worker is stopped. A dump has also
// the calls of spawn_blocking that nobody waits for any more. usage_error outside a task: use the members of
// runtime, which any thread may call.
COPPICE_EXPORT std::vector<task_info> all_tasks();
COPPICE_EXPORT void dump_tasks(std::ostream& out, dump_format format = dump_format::text);

}  // namespace coppice::inline v0
