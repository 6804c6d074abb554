// One call of spawn_blocking, as the task that waits for it and the thread that makes it share it.
//
// The wait has two ends, the call's return and a stop; which came first is settled under the pool's lock
// (executor/blocking_pool.h). Who is told that the wait is its own ends it, and alone uses the completion.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/job.h>
#include <coppice/detail/reference_count.h>
#include <coppice/site.h>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::inline v0 {
class executor;
}

namespace coppice::inline v0::detail {

class blocking_pool;
class executor_core;
class worker_core;

// A call that has not ended, as it was when looked at.
struct blocking_call_info {
  task_id task = task_id::none;  // Which waits for it, or has waited.
  std::string name;
  source_site site;
  bool begun = false;  // It has a thread.
  bool left = false;   // Nobody waits for it any more.
  time_point since{};  // Its beginning; that of its wait for a thread before.
};

// It has one reference at first, which is its maker's.
class COPPICE_EXPORT blocking_call : public job {
 public:
  blocking_call(const blocking_call&) = delete;
  blocking_call& operator=(const blocking_call&) = delete;

  void drop() noexcept {
    if (references_.drop()) {
      delete this;
    }
  }

 protected:
  blocking_call(std::string_view name, bool may_be_left, const source_site& site);
  virtual ~blocking_call();

  // The task that is about to wait for it, on a worker: gives it to the pool of its executor. Throws
  // std::system_error if there is no thread and none can be started, usage_error in the child of a fork().
  void submit(worker_core& here);

  // A worker: the call shall not begin or, if it may be left, shall go on alone. True if the wait is the
  // caller's to end.
  [[nodiscard]] bool withdraw() noexcept;

 private:
  friend class blocking_pool;

  enum class stage : std::uint8_t { made, queued, running, left, returned };

  // On a thread of the pool: calls, and keeps what comes of it.
  virtual void call() noexcept = 0;

  // The same, behind that, if the wait is its own: ends it.
  virtual void deliver() noexcept = 0;

  // What the call has thrown, if it has, for a report.
  virtual std::exception_ptr failure() noexcept = 0;

  void run_on_thread() noexcept;
  void report_failure(worker_core& here) noexcept;
  void end() noexcept;

  const std::string name_;
  const source_site site_;
  const bool may_be_left_;
  executor_core* home_ = nullptr;           // submit().
  task_id task_ = task_id::none;            // submit().
  atomic<time_point> since_{time_point()};  // submit(), then its thread.
  reference_count references_;

  // The pool's, under its lock.
  stage stage_ = stage::made;
  blocking_call* later_ = nullptr;
  blocking_call* earlier_ = nullptr;
};

// Those of an executor that have not ended, in no order that matters. Any thread.
COPPICE_EXPORT std::vector<blocking_call_info> blocking_calls(const executor& of);

// Waits until there is none, or the time is up: then false. Not from a worker.
COPPICE_EXPORT bool wait_for_blocking_calls(const executor& of, duration limit);

}  // namespace coppice::inline v0::detail
