// The inside of a runtime: an executor, and who is to shut its tasks down.
#pragma once

#include "supervision/cancel_watch.h"

#include <coppice/detail/job.h>
#include <coppice/detail/scope_core.h>
#include <coppice/executor.h>
#include <coppice/runtime.h>

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace coppice::inline v0::detail {

class runtime_state {
 public:
  runtime_state(const options& from, const test_setup* setup);
  ~runtime_state();

  void begin_main();
  void end_main() noexcept;
  shutdown_report shutdown(const shutdown_options& how);
  void request_shutdown() noexcept;

  // The request's own job, so that a signal handler need not allocate.
  struct request_job : job {
    runtime_state* state;
  };

  // What current_scope() is in a task directly below the runtime.
  class root_scope final : public scope_core {
   public:
    explicit root_scope(runtime_state& of) : scope_core({}, {}, of.beneath.ref()), of_(of) {}

    cancel_node& node() noexcept override { return of_.beneath.root(); }
    const char* kind() const noexcept override { return "runtime"; }
    task_keeper* keeper() noexcept override { return &of_.beneath.root_keeper(); }
    void cancel(const cancel_reason& reason) noexcept override;
    void request_shutdown() noexcept override;

   private:
    void close_node(worker_core&) noexcept override {}

    runtime_state& of_;
  };

  request_job request;
  atomic<bool> requested{false};  // Whoever asks first, and then queues the job.
  cancel_watch watch;
  executor beneath;  // Last but for its face: its tasks use all the others.
  core_ref root;

 private:
  void cancel_and_wait() noexcept;
  bool wait_for_all(duration limit) const;

  std::mutex mutex_;
  std::condition_variable emptied_;
  std::size_t mains_ = 0;      // Under the lock.
  bool emptying_ = false;      // Under the lock: the last block_on shuts the tasks down.
  std::mutex shutdown_mutex_;  // One shutdown at a time; the others wait for it.
};

}  // namespace coppice::inline v0::detail
