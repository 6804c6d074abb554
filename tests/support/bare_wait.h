// A wait without a coroutine: what its winner queues is a job that notes where it ran.
#pragma once

#include <coppice/detail/suspension.h>

#include "executor/executor_core.h"

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <mutex>

namespace coppice::testing_support {

class bare_wait : public detail::suspension, public detail::job {
 public:
  bare_wait() {
    run = [](detail::job& self, detail::worker_core& here) noexcept {
      static_cast<bare_wait&>(self).note(here);
    };
  }

  void begin_on(detail::executor_core& home) { begin(*this, nullptr, home, &bare_wait::note_stop); }

  // On a worker: waits in a slot of its own until the time has come.
  void wait_until(time_point due, detail::worker_core& here) {
    begin_on(here.home);
    detail::slot& mine = here.take_slot();
    const detail::ticket wait{&mine, mine.arm(*this)};
    if (mine.publish(wait.generation)) {
      here.add_timer(due, wait);
    }
  }

  // What its job does.
  void note(detail::worker_core& here) noexcept {
    const std::lock_guard lock(mutex_);
    ran_on = &here;
    done.store(true);
    changed_.notify_all();
  }

  // Blocks until the job has run; it may then be destroyed.
  void await_done() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done.load(); });
  }

  std::atomic<bool> done{false};
  detail::worker_core* ran_on = nullptr;
  detail::worker_core* stopped_on = nullptr;

 private:
  static std::coroutine_handle<> note_stop(detail::suspension& self,
                                           detail::worker_core& here) noexcept {
    static_cast<bare_wait&>(self).stopped_on = &here;
    return std::noop_coroutine();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace coppice::testing_support
