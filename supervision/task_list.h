// An executor's live tasks as users see them: as a list, as text, as JSON.
#pragma once

#include <coppice/dump.h>
#include <coppice/executor.h>
#include <coppice/shutdown.h>

#include <iosfwd>
#include <vector>

namespace coppice::inline v0::detail {

// Was it, or a scope that it is in, up to a shield? Any thread.
bool asked_to_stop(const task_ref& task) noexcept;

task_info info_of(const task_ref& task, time_point now);

// Parents before children.
std::vector<task_info> tasks_of(const executor& of);
void print_tasks(std::ostream& out, const std::vector<task_info>& tasks, dump_format format);

std::vector<stuck_child> stuck_tasks(const executor& of);

// One block on stderr: those that were asked to stop and are still there.
void print_stuck(const executor& of) noexcept;

// The same for some, which were asked so long ago. Throws std::bad_alloc.
void print_late(const std::vector<task_info>& tasks, duration limit);

}  // namespace coppice::inline v0::detail
