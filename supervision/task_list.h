// An executor's live tasks as users see them: as a list, as text, as JSON.
#pragma once

#include <coppice/dump.h>
#include <coppice/executor.h>
#include <coppice/shutdown.h>

#include <iosfwd>
#include <vector>

namespace coppice::inline v0::detail {

// Parents before children.
std::vector<task_info> tasks_of(const executor& of);
void print_tasks(std::ostream& out, const std::vector<task_info>& tasks, dump_format format);

std::vector<stuck_child> stuck_tasks(const executor& of);

// One block on stderr: those that were asked to stop and are still there.
void print_stuck(const executor& of) noexcept;

}  // namespace coppice::inline v0::detail
