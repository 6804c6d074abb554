// An executor's live tasks as users see them: as a list, as text, as JSON.
#pragma once

#include <coppice/detail/blocking_call.h>
#include <coppice/dump.h>
#include <coppice/executor.h>
#include <coppice/shutdown.h>

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace coppice::inline v0::detail {

// Was it, or a scope that it is in, up to a shield? Any thread.
bool asked_to_stop(const task_ref& task) noexcept;

// Calls of spawn_blocking, by which threads are held that no task runs on.
class calls_in_flight {
 public:
  explicit calls_in_flight(const executor& of);

  // What the task waits for, with the names of its calls: "spawn_blocking load". `label` is what its node says, or null.
  std::string waiting_for(task_id task, const char* label) const;

  // Those that nobody waits for any more.
  const std::vector<blocking_call_info>& left() const noexcept { return left_; }

 private:
  std::multimap<task_id, blocking_call_info> awaited_;  // By task, each task's in their order.
  std::vector<blocking_call_info> left_;
};

task_info info_of(const task_ref& task, time_point now, const calls_in_flight& calls);

// Parents before children.
std::vector<task_info> tasks_of(const executor& of);
void print_tasks(std::ostream& out, const std::vector<task_info>& tasks, dump_format format,
                 const std::vector<blocking_call_info>& left = {}, time_point now = {});

// The same of all there is.
void print_dump(std::ostream& out, const executor& of, dump_format format);

// Tasks, and calls that were left: these are no tasks.
std::vector<stuck_child> stuck_tasks(const executor& of);

// One block on stderr: the same.
void print_stuck(const executor& of) noexcept;

// The same for some, which were asked so long ago. Throws std::bad_alloc.
void print_late(const std::vector<task_info>& tasks, duration limit);

}  // namespace coppice::inline v0::detail
