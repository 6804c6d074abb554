// The inside of a runtime: an executor, and who is to shut its tasks down.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <coppice/detail/job.h>
#include <coppice/executor.h>
#include <coppice/runtime.h>

#include <cstddef>

namespace coppice::inline v0::detail {

class runtime_state {
 public:
  runtime_state(const options& from, const test_setup* setup);

  void begin_main() ABSL_LOCKS_EXCLUDED(mutex_);
  void end_main() noexcept ABSL_LOCKS_EXCLUDED(mutex_);
  shutdown_report shutdown(const shutdown_options& how) ABSL_LOCKS_EXCLUDED(shutdown_mutex_);
  void request_shutdown() noexcept;

  // The request's own job, so that a signal handler need not allocate.
  struct request_job : job {
    runtime_state* state;
  };

  request_job request;
  atomic<bool> requested{false};  // Whoever asks first, and then queues the job.
  executor beneath;               // Last: its tasks use all the others.

 private:
  void cancel_and_wait() noexcept;
  std::vector<stuck_child> stuck() const;

  absl::Mutex mutex_;
  std::size_t mains_ ABSL_GUARDED_BY(mutex_) = 0;
  bool emptying_ ABSL_GUARDED_BY(mutex_) = false;  // The last block_on shuts the tasks down.
  absl::Mutex shutdown_mutex_;  // One shutdown at a time; the others wait for it.
};

}  // namespace coppice::inline v0::detail
