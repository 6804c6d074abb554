// The inside of a runtime: an executor, and who is to shut its tasks down.
#pragma once

#include <coppice/detail/job.h>
#include <coppice/executor.h>
#include <coppice/runtime.h>

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace coppice::inline v0::detail {

class runtime_state {
 public:
  runtime_state(const options& from, const test_setup* setup);

  void begin_main();
  void end_main() noexcept;
  shutdown_report shutdown(const shutdown_options& how);
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

  std::mutex mutex_;
  std::condition_variable emptied_;
  std::size_t mains_ = 0;      // Under the lock.
  bool emptying_ = false;      // Under the lock: the last block_on shuts the tasks down.
  std::mutex shutdown_mutex_;  // One shutdown at a time; the others wait for it.
};

}  // namespace coppice::inline v0::detail
