// The cancel watchdog: names tasks that are still there some time after they were asked to stop.
//
// On real time a thread of its own looks, for there may be no worker that is free to. It is started by the first
// cancel, on a worker, or from the start where the setting was asked for; it sleeps unless there has been a cancel.
// On virtual time it looks whenever time moves.
//
// Orderings
//   CW1  Who cancels sets the node's flag, then the mark; who looks takes the mark away, then reads the flags: what it
//        does not see has been marked again.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/cancel_observer.h>
#include <coppice/detail/job.h>
#include <coppice/executor.h>
#include <coppice/site.h>

#include <semaphore.h>

#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace coppice::inline v0::detail {

class cancel_watch final : public cancel_observer, job {
 public:
  cancel_watch() noexcept;
  ~cancel_watch();
  cancel_watch(const cancel_watch&) = delete;
  cancel_watch& operator=(const cancel_watch&) = delete;

  // Before there are tasks. `at_once`: its thread starts now.
  void watch(executor& tasks, bool on_virtual_time, bool at_once) noexcept;

  // Before the executor goes. It may still be told of cancels, and does nothing.
  void stop() noexcept;

 private:
  void cancel_requested() noexcept override;
  void time_moved(time_point from) noexcept override;

  struct late_task {
    time_point since;  // When it was first seen to be asked to stop, or before.
    bool told = false;
  };

  void start() noexcept;
  void run_thread() noexcept;
  void rest(duration d) noexcept;
  void look(time_point seen, time_point now) noexcept;
  std::optional<time_point> next_look() const noexcept;

  executor* tasks_ = nullptr;          // watch().
  duration limit_ = forever;           // watch().
  atomic<bool> marked_{false};         // Somebody was asked to stop since the last look.
  atomic<bool> starting_{true};        // No thread is needed, or somebody has seen to it.
  atomic<bool> stopping_{false};       // stop().
  sem_t wake_;                         // Posted for a mark, and by stop().
  std::map<task_id, late_task> late_;  // Who looks: those asked to stop that live.
  std::mutex mutex_;
  std::thread thread_;  // Under the lock.
};

}  // namespace coppice::inline v0::detail
