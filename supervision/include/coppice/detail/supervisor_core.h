// What a supervisor is behind its references: a group that keeps no failure, and can be shut down in order.
//
// Orderings
//   SV1  A supervisor is left to the root, then its host told: who sees that finds it below the root.
//   SV2  The overseer is published once made.
#pragma once

#include <coppice/child_spec.h>
#include <coppice/detail/alarm.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/group_core.h>
#include <coppice/detail/signal.h>
#include <coppice/shutdown.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <vector>

namespace coppice::inline v0::detail {

// One that waits for the end of a shutdown.
struct shutdown_waiter {
  signal told;
  shutdown_report report;  // Behind the signal.
};

// How a shutdown goes that says nothing else.
struct shutdown_defaults {
  duration drain;
  duration grace;
  on_stuck stuck;
};

// When and how far it restarts specified children.
struct restart_rules {
  restart_strategy strategy = restart_strategy::one_for_one;
  unsigned max_restarts = 3;
  duration period = std::chrono::seconds(5);
  shutdown_trigger auto_shutdown = shutdown_trigger::never;
};

class overseer;

class COPPICE_EXPORT supervisor_core final : public group_core {
 public:
  supervisor_core(std::string_view name, const source_site& site,
                  std::optional<std::size_t> max_children, const shutdown_defaults& usual,
                  const restart_rules& rules, cancel_node* parent, worker_core& here);

  const char* kind() const noexcept override { return "supervisor"; }
  bool leave_body() noexcept override;
  bool left() const noexcept override { return left_.load(std::memory_order_acquire); }  // SV1

  // Takes no more children, lets those there are finish, cancels, and names the stuck. The first call decides how. On
  // a worker; the second form on any thread, also in a signal handler.
  void begin_shutdown(const shutdown_options& how, const cancel_reason& reason, worker_core& here);
  void request_shutdown() noexcept override;

  // It is told at the end, or when there are stuck ones to be left; at once if that is over. Throws std::bad_alloc.
  void add_waiter(shutdown_waiter& waiting);
  void remove_waiter(shutdown_waiter& waiting) noexcept;

  // A task below waits for the shutdown to stop it: the drain does not wait for such.
  void add_waiter_below(worker_core& here) noexcept;

  // The cancel goes on to the host behind the scope's end.
  void cancel_host(const cancel_reason& reason) noexcept;

  // Who looks after specified children: null as long as nobody has asked for it. The second form makes it, and throws
  // std::bad_alloc. Any thread.
  overseer* known_overseer() const noexcept {
    return overseer_.load(std::memory_order_acquire);  // SV2
  }
  overseer& required_overseer();

  // For the overseer.
  const restart_rules& rules() const noexcept { return rules_; }
  duration usual_grace() const noexcept { return usual_.grace; }
  bool shutting_down() const noexcept;
  void give_up(std::exception_ptr error) noexcept;
  void oversight_begins() noexcept;
  void oversight_has_ended(worker_core& here) noexcept;

  // A specified child is still there after its grace; returns what is to be done, if the process is not to be ended.
  on_stuck name_stuck(const task_ref& child) noexcept;
  void leave_one_behind() noexcept;
  void left_one_has_ended() noexcept;

  // Those that spawn started and that live now, in order of their start. On a worker.
  std::vector<task_ref> spawned(const worker_core& here);

 private:
  friend class specified_child;

  ~supervisor_core() override;

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

  struct own_job final : detail::job {
    supervisor_core* of;
  };

  // Closes it when it has been left to the root, and its last child has ended.
  struct end_of_left final : scope_joiner {
    supervisor_core* of;
  };

  void child_ended(task_status how) noexcept override;
  void children_left(worker_core& here) noexcept override;
  void leaving() noexcept override;
  error_entry own_failure() const noexcept override { return own_failure_; }
  void close_node(worker_core& here) noexcept override;

  void end_drain(worker_core& here) noexcept;
  void end_grace(worker_core& here) noexcept;
  bool to_leave_now() noexcept;
  on_stuck stuck_policy() const noexcept;
  void leave_if_due(worker_core& here) noexcept;
  void post_leaving() noexcept;
  void leave_children(worker_core& here) noexcept;
  void set(step& alarm, duration d, worker_core& here) noexcept;
  void tell(shutdown_waiter& waiting) noexcept;
  void tell_waiters() noexcept;

  const shutdown_defaults usual_;
  const restart_rules rules_;
  atomic<overseer*> overseer_{nullptr};  // required_overseer().
  error_entry own_failure_;              // The overseer, before it leaves.
  step drain_{*this, &supervisor_core::end_drain};
  step grace_{*this, &supervisor_core::end_grace};
  own_job request_;
  own_job leaving_;
  end_of_left last_;
  atomic<bool> requested_shutdown_{false};  // Whoever asks first, and then queues the job.
  atomic<bool> pass_on_{false};             // cancel_host().
  atomic<bool> left_{false};                // leave_children().
  mutable std::mutex mutex_;
  phase phase_ = phase::open;  // Under the lock, and all here.
  duration grace_time_{};
  on_stuck stuck_ = on_stuck::wait;
  bool to_be_left_ = false;  // The grace is over, and the stuck are to be left.
  bool body_left_ = false;
  bool bounds_all_ = false;      // The grace is for specified children as well.
  bool grace_over_ = false;      // And somebody has to be left, once no overseer runs.
  std::size_t overseers_ = 0;    // That run: one, or for a moment two.
  std::size_t left_behind_ = 0;  // Specified children that are stuck, and live.
  std::optional<cancel_reason> reason_;
  std::size_t below_ = 0;
  shutdown_report report_;  // Its tasks hold the supervisor: until the end.
  std::vector<shutdown_waiter*> waiters_;
};

}  // namespace coppice::inline v0::detail
