// What the workers of one executor share: the inbox, who sleeps, the clock and the cancel epoch.
//
// Orderings
//   X1  A foreign thread pushes a wake, a worker takes the whole list: it sees what the waker wrote. The
//       push comes before a look at who sleeps (P1).
//   X2  spawn counts its job after it has pushed it, and then looks at who sleeps (P1); a worker that goes
//       to sleep reads the count.
//   X3  stop() sets the flag, when the last has posted, then wakes all (P1); a worker that sees it looks once more for
//       what was posted.
//   X4  post() has done with the core when it takes itself off the count; who waits for that may destroy it.
//   X5  Who wants to be told of cancels is there before anybody finds it.
#pragma once

#include "executor/blocking_pool.h"
#include "executor/inbox.h"
#include "executor/parking.h"
#include "executor/time_source.h"
#include "executor/token_list.h"
#include "executor/worker.h"

#include <coppice/detail/cancel_node.h>
#include <coppice/detail/cancel_observer.h>
#include <coppice/detail/job.h>
#include <coppice/detail/standstill.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace coppice::inline v0::detail {

class executor_state;
class task_keeper;

struct core_settings {
  std::size_t workers = 1;
  duration spin{};                         // Busy search before sleeping.
  std::uint32_t ready_await_budget = 128;  // Awaits that need not wait, before a forced yield.
  std::size_t frame_cache_bytes = 0;       // Kept per worker when idle.
  std::size_t blocking_threads = 1;        // At most; and how long one stays that is idle.
  duration idle_blocking_threads = blocking_pool::usual_patience;
  std::optional<std::uint64_t> seed = {};  // One worker: the order of jobs is drawn from it.
  bool shuffle = true;                     // With a seed: false takes them in order of arrival.
  bool autojump = true;                    // Virtual time moves by itself when all workers sleep.
  duration patience{};                     // See standstill.h.
  bool debug = false;                      // Failures tell who spawned and who cancelled.

  // Does a seed, or arrival, decide what runs next, and not where it was queued?
  bool ordered() const noexcept { return seed && workers == 1; }
};

class executor_core {
 public:
  // Throws std::bad_alloc.
  executor_core(const core_settings& from, time_source& clock_of_timers, executor_state& owned_by,
                task_keeper& root_of_tasks);
  ~executor_core();

  executor_core(const executor_core&) = delete;
  executor_core& operator=(const executor_core&) = delete;

  // Queues a resumable job from any thread; never allocates, never fails. The job may end the last task, and
  // with it the executor's life, before the call has returned: see wait_for_posters().
  void post(job& ready) noexcept;

  // The same of a list of jobs, each the `next` of the one before it. Not from a worker of its own.
  void post_all(job& first) noexcept;

  // The same also in the handler of a signal, which may have interrupted a worker.
  void post_from_outside(job& ready) noexcept;

  // Before the core is destroyed, behind the end of every task: until no post() is under way.
  void wait_for_posters() const noexcept;

  // Queues new work from a foreign thread, first in first out. Never fails: without memory it goes the way
  // of a wake.
  void submit(job& fresh) noexcept;

  // Nobody comes by an executor_pin from now on. Before stop().
  void retire() noexcept;

  // Moves the epoch: whoever polls looks at its scope again. Any thread.
  void bump_epoch() noexcept {
    link.cancels.fetch_add(epoch_step, std::memory_order_seq_cst);                 // E1 S3
    if (cancel_observer* const told = observer.load(std::memory_order_acquire)) {  // X5
      told->cancel_requested();
    }
  }
  epoch seq_cst_epoch() const noexcept {
    return link.cancels.load(std::memory_order_seq_cst);  // S3
  }

  // Workers.
  job* take_wakes() noexcept { return wakes_.exchange(nullptr, std::memory_order_acquire); }  // X1
  bool wakes_in_sight() const noexcept {
    const job* const latest = wakes_.load(std::memory_order_seq_cst);  // X1
    return latest != nullptr;
  }
  job* take_submitted() noexcept;
  bool submitted_in_sight() const noexcept {
    return submitted_count_.load(std::memory_order_seq_cst) > 0;  // X2
  }
  // Of walks, which of them each worker shows for itself.
  void share_walk() noexcept { shared_walks_.fetch_add(1, std::memory_order_seq_cst); }  // W2 P1
  void end_sharing() noexcept { shared_walks_.fetch_sub(1, std::memory_order_relaxed); }
  bool walk_in_sight() const noexcept {
    return shared_walks_.load(std::memory_order_seq_cst) != 0;  // W2 P1
  }
  void wake_if_wanted() noexcept {
    if (idle.wanted()) [[unlikely]] {
      idle.wake_one();
    }
  }

  // Something outside has begun that will post a job, so that waiting for it is no deadlock; or it has done
  // so. Any thread.
  void begin_outside() noexcept {
    if (still != nullptr) {
      still->expect_from_outside(1);
    }
  }
  void end_outside() noexcept {
    if (still != nullptr) {
      still->expect_from_outside(-1);
    }
  }

  // The same of a call of spawn_blocking, for which virtual time stands still.
  void begin_call() noexcept {
    if (still != nullptr) {
      still->call_began();
    }
  }
  void end_call() noexcept {
    if (still != nullptr) {
      still->call_ended();
    }
  }

  // Behind a walk for a cancel. On a worker.
  void mark_tokens() noexcept { tokens.mark(); }

  // The workers leave their loops. Only when no task is left.
  void stop() noexcept;
  bool stopping() const noexcept { return stopping_.load(std::memory_order_seq_cst); }  // X3

  executor_ref ref() const noexcept { return {&link, id}; }

  link_owner owned_link;  // Until retire().
  executor_link& link;
  const std::uint64_t id;                        // Of this core alone, ever.
  std::vector<std::unique_ptr<worker>> workers;  // Constant while the workers run.
  parking idle;
  time_source& time;
  const core_settings settings;
  executor_state& owner;
  task_keeper& root;                           // Of what the free spawn() starts.
  token_list tokens;                           // That somebody must stop.
  atomic<cancel_observer*> observer{nullptr};  // executor::observe_cancels().
  atomic<bool> watched{false};        // A sleeper wakes now and then to look after busy workers.
  std::unique_ptr<standstill> still;  // Null unless time is virtual. Constant.
  blocking_pool blocking;             // Its calls use all the others.

 private:
  friend class worker;

  void push_wakes(job& newest, job& oldest) noexcept;

  alignas(64) atomic<job*> wakes_{nullptr};  // Anybody pushes, a worker takes all.
  atomic<std::uint32_t> shared_walks_{0};    // Each worker that shares one.
  atomic<std::int64_t> submitted_count_{0};  // Whoever submits, and the worker that takes.
  atomic<std::uint32_t> posters_{0};         // Whoever posts, around it.
  atomic<bool> stopping_{false};             // stop().
                                             // retire().
  inbox submitted_;
};

}  // namespace coppice::inline v0::detail
