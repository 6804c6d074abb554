// A worker: one thread that runs jobs, its own first, then others', and sleeps when there are none.
//
// Orderings
//   W1  post_next() puts a job into next_up_, whoever takes it sees what its maker wrote.
//   W2  A worker shows which set it walks behind the name of the walk, and behind what the cancel wrote, and counts the
//       walk; who joins sees all of it. A later walk's name with an earlier one's set leads to a second look at chunks,
//       and no more.
#pragma once

#include "executor/job_bag.h"
#include "executor/timers.h"

#include <coppice/detail/worker_core.h>
#include <coppice/report.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

namespace coppice::inline v0::detail {

// Counted by the worker alone, read by anybody at any time.
struct worker_counters {
  atomic<std::uint64_t> resumes{0};
  atomic<std::uint64_t> steals{0};
  atomic<std::uint64_t> parks{0};
  atomic<std::uint64_t> forced_yields{0};
  atomic<std::uint64_t> looks{0};
  atomic<std::uint64_t> completed{0};  // Spawned tasks that have ended here, and how.
  atomic<std::uint64_t> failed{0};
  atomic<std::uint64_t> cancelled{0};
};

struct due_alarms;

class worker final : public worker_core {
 public:
  // Throws std::bad_alloc.
  worker(executor_core& home, std::size_t index);
  ~worker();

  // The thread's whole life: until the executor stops. `lowest` is the last usable address of its stack.
  void run(std::uintptr_t stack_base, std::size_t stack_bytes) noexcept;

  // Thieves. The second also takes what its owner means to run next.
  job* steal() noexcept;
  job* steal_next() noexcept { return take_next(); }
  bool has_stealable() const noexcept;

  // Owner. Begins a wait for the time; throws std::bad_alloc.
  void add_timer(time_point due, ticket wait);

  // Any worker: resumes whoever is due, on the worker that calls. True if there was one. Those that ring anywhere go into
  // the list, if there is one.
  bool fire_timers(worker& here, time_point now, due_alarms* alarms = nullptr) noexcept;
  time_point earliest_timer() const noexcept {
    return earliest_timer_.load(std::memory_order_relaxed);
  }
  std::optional<time_point> earliest_open_timer() noexcept;
  std::size_t open_timers() const noexcept;

  void count_forced_yield() noexcept;
  void count_end(task_status status) noexcept;
  const worker_counters& counters() const noexcept { return counters_; }

 private:
  friend class worker_core;
  friend class woken_list;
  friend class executor_core;
  friend class standstill;

  job* find_job() noexcept;
  job* draw_job() noexcept;
  void fill_bag() noexcept;
  void bag_forks() noexcept;
  job* take_local() noexcept;
  job* take_next() noexcept;
  job* take_foreign() noexcept;
  job* take_submitted() noexcept;
  job* search() noexcept;
  job* steal_from_others(bool also_next) noexcept;
  job* steal_job(bool also_next) noexcept;
  job* sleep() noexcept;
  void rest() noexcept;
  time_point next_watch(bool watching) const noexcept;
  job* look_after_others(time_point now) noexcept;
  job* join_walk() noexcept;
  bool walk_to_join() const noexcept;
  bool can_join(const worker& other) const noexcept;
  static void walk_along(job& self, worker_core& here) noexcept;

  // Written by the worker alone, read by all.
  static void count(atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  bool work_in_sight() const noexcept;
  bool others_wait() noexcept;
  void pass_deadlines() noexcept;
  bool collect_wakes() noexcept;
  void give_way_to_wakes() noexcept;
  void run_job(job& found) noexcept;
  time_point read_clock() noexcept;
  void add_ready(job& ready) noexcept;
  // Each is the `next` of the one before it.
  void add_all_ready(job& first) noexcept;

  const std::size_t index_;
  deque<job> ready_;              // Resumable jobs in order of arrival; all of it public.
  job* backlog_first_ = nullptr;  // The worker: what found no room in ready_, for want of memory.
  job* backlog_last_ = nullptr;   // The worker.
  atomic<job*> next_up_{
      nullptr};  // The worker puts, anybody takes: made ready by the running task.
  atomic<slot_chunk*> shared_set_{nullptr};  // The worker: which it walks, and others may too.
  atomic<std::uint64_t> shared_walk_{0};     // The worker: the name of that walk.
  job walking_along_{nullptr, &walk_along};  // Queued nowhere.
  slot_chunk* joined_set_ = nullptr;         // The worker: where it walks along ...
  std::uint64_t joined_walk_ = 0;            // ... and the last walk that it has joined.
  std::uint32_t next_up_in_a_row_ = 0;
  std::uint32_t tick_ = 0;
  std::uint32_t polls_between_looks_ = polls_before_first_look;
  bool others_first_ = false;     // The worker: the next job must come from outside.
  bool submitted_first_ = false;  // The worker: which of both sources it looked at first.
  bool searching_ = false;        // The worker: it is counted as a searcher.
  std::uint64_t random_;          // The worker: where the next search begins.
  worker_counters counters_;
  std::unique_ptr<job_bag>
      bag_;  // The worker: what is queued, if a seed decides its order; else null.

  mutable std::mutex timers_mutex_;
  timer_heap timers_;                                     // Under the lock.
  atomic<time_point> earliest_timer_{time_point::max()};  // Under the lock; anybody reads.
};

}  // namespace coppice::inline v0::detail
