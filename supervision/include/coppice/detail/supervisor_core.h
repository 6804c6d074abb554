// What a supervisor is behind its references: a group that keeps no failure, and can be shut down in order.
#pragma once

#include <coppice/detail/alarm.h>
#include <coppice/detail/export.h>
#include <coppice/detail/group_core.h>
#include <coppice/detail/signal.h>
#include <coppice/shutdown.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace coppice::inline v0::detail {

// How a shutdown goes that says nothing else.
struct shutdown_defaults {
  duration drain;
  duration grace;
  on_stuck stuck;
};

class COPPICE_EXPORT supervisor_core final : public group_core {
 public:
  supervisor_core(std::string_view name, const source_site& site,
                  std::optional<std::size_t> max_children, const shutdown_defaults& usual,
                  cancel_node* parent, worker_core& here);

  const char* kind() const noexcept override { return "supervisor"; }

  // Takes no more children, lets those there are finish, cancels, and names the stuck. The first call decides how. On
  // a worker; the second form on any thread, also in a signal handler.
  void begin_shutdown(const shutdown_options& how, const cancel_reason& reason, worker_core& here);
  void request_shutdown() noexcept override;

  // One that waits for the end of a shutdown; `told` is set then, or when there are stuck ones to be left.
  void add_waiter(signal& told);
  void remove_waiter(signal& told) noexcept;

  // A task below waits for the shutdown to stop it: the drain does not wait for such.
  void add_waiter_below(worker_core& here) noexcept;

  shutdown_report report() const;

  // The cancel goes on to the host behind the scope's end.
  void cancel_host(const cancel_reason& reason) noexcept;

 private:
  enum class phase : std::uint8_t { open, draining, cancelling, over };

  class step final : public alarm {
   public:
    step(supervisor_core& of, void (supervisor_core::*what)(worker_core&) noexcept) noexcept
        : of_(of), what_(what) {}

   private:
    void ring(worker_core& here) noexcept override { (of_.*what_)(here); }
    void keep() noexcept override { of_.add_reference(); }
    void let_go() noexcept override { of_.drop(); }

    supervisor_core& of_;
    void (supervisor_core::* const what_)(worker_core&) noexcept;
  };

  struct request_job final : detail::job {
    supervisor_core* of;
  };

  void child_ended(task_status how) noexcept override;
  void leaving() noexcept override;
  void close_node(worker_core& here) noexcept override;

  void end_drain(worker_core& here) noexcept;
  void end_grace(worker_core& here) noexcept;
  void set(step& alarm, duration d, worker_core& here) noexcept;
  void tell_waiters() noexcept;

  const shutdown_defaults usual_;
  step drain_{*this, &supervisor_core::end_drain};
  step grace_{*this, &supervisor_core::end_grace};
  request_job request_;
  atomic<bool> requested_shutdown_{false};  // Whoever asks first, and then queues the job.
  atomic<bool> pass_on_{false};             // cancel_host().
  mutable std::mutex mutex_;
  phase phase_ = phase::open;  // Under the lock, and all here.
  duration grace_time_{};
  on_stuck stuck_ = on_stuck::wait;
  std::optional<cancel_reason> reason_;
  std::size_t below_ = 0;
  shutdown_report report_;
  std::vector<signal*> waiters_;
};

}  // namespace coppice::inline v0::detail
