// What starts, restarts and stops the specified children of one supervisor: one thing after the other, in a coroutine
// that runs while there is something to look after.
//
// It is told of what happens by messages: a child has ended, a start is to be tried again, somebody calls. Its children
// stand below a node of its own, which is shielded: what is requested of the supervisor, or above it, reaches the
// overseer, and each child when its turn comes. Nothing stops the overseer itself.
//
//     supervisor's node ──┬── body, what spawn started      stopped at once
//                         ├── the overseer's own            hears of the request, and then is shielded
//                         └── children's (shielded) ── each specified child
#pragma once

#include "supervision/overseer_queue.h"
#include "supervision/restart_policy.h"
#include "supervision/specified_child.h"

#include <coppice/child_spec.h>
#include <coppice/detail/alarm.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/job.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/result_slot.h>
#include <coppice/detail/scope_core.h>
#include <coppice/detail/signal.h>
#include <coppice/detail/supervisor_core.h>
#include <coppice/task.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::inline v0::detail {

// What somebody asks of it, and waits for.
struct overseer_call final : message {
  enum class kind { start, terminate, restart, forget };

  overseer_call(kind what, std::string of)
      : message(about::call), wanted(what), id(std::move(of)) {}

  const kind wanted;
  const std::string id;                   // But for a start.
  std::vector<child_spec> specs;          // Of a start.
  std::shared_ptr<overseer_call> itself;  // While it is queued.
  signal answered;
  child_info given;  // Behind the signal, as is the error.
  std::exception_ptr error;
  error_entry failure;     // That of a child which could not start, and so the error's cause.
  bool half_done = false;  // The overseer's: what it has started runs, and is not told of.
  bool abandoned = false;  // Under the overseer's lock: nobody waits for the answer.
};

class overseer {
 public:
  explicit overseer(supervisor_core& of);
  overseer(const overseer&) = delete;
  overseer& operator=(const overseer&) = delete;
  ~overseer();

  // Asks, and waits for the answer. `kept`: the supervisor. On a worker.
  task<child_info> ask([[maybe_unused]] core_ref kept, std::shared_ptr<overseer_call> asked);

  // Any thread.
  void list_into(std::vector<child_info>& infos) const;
  child_counts count() const noexcept;  // Of specified children.
  restart_handler on_restart(restart_handler handler);

  // Something has changed that it goes by: a shutdown has begun. Any thread.
  void wake() noexcept { news_.set(); }

  // The time for all of them is over: who still runs is stopped at once, shields overridden.
  void hurry() noexcept;

  // Nobody is left. On a worker.
  void close(worker_core& here) noexcept;

  // For the children.
  cancel_node& children_node() noexcept { return children_node_; }
  const cancel_node& children_node() const noexcept { return children_node_; }
  enum class stand { starting, running, left_behind };
  stand stand_of(const specified_child& child, const outcome_cell& task) const noexcept;
  void child_ended(specified_child& child, const outcome_cell& task) noexcept;

 private:
  // Requests to stop end here; who is below is asked one by one.
  class shielded_node final : public branch_node {
   public:
    explicit shielded_node(cancel_node& above) noexcept : branch_node(&above, 0) {
      state_.shield(true);
    }
  };

  // Under which the overseer itself runs.
  class own_node final : public strand_node {
   public:
    explicit own_node(cancel_node& above) noexcept : strand_node(&above) { state_.be_unyielding(); }
    void keep_out() noexcept {
      state_.shield(true);
      forget();
    }
  };

  // One run of the coroutine; ends itself with it.
  class run final : public receiver, public job {
   public:
    explicit run(overseer& of);
    own_node& node() noexcept { return node_; }

   private:
    std::coroutine_handle<> completed(worker_core& here) noexcept override;
    std::coroutine_handle<> stopped(worker_core& here) noexcept override;

    overseer& of_;
    own_node node_;
    task<> main_;
    result_slot<void> result_;
  };

  class time_out;

  // How a start has gone. refused: there is no task. given_up: the supervisor is ending.
  enum class start_result { started, ignored, failed, refused, given_up };

  // The coroutine, and how it waits.
  task<> oversee();
  task<> take(message& next);
  task<> news_until(time_point due);
  void set(time_out& alarm, time_point due) noexcept;
  void see_stop() noexcept;
  message* next_message() noexcept;
  void put_back(message& unanswered) noexcept;
  bool retire() noexcept;
  task<> stop_all();
  void over(std::exception_ptr error, worker_core& here) noexcept;

  // Ends and restarts.
  task<> take_end(child_ref child);
  task<> restart(child_ref child);
  task<> start_again(child_ref child);
  task<> stop_others(child_ref child);
  duration next_delay(specified_child& child);
  void tell_restart(const specified_child& child, duration delay) noexcept;
  void set_restarting(specified_child& child, bool restarting) noexcept;
  void ended_for_good(specified_child& child);
  void give_up(const specified_child& child);
  std::vector<child_ref> concerned_by(const specified_child& child) const;

  // Starts and stops.
  task<start_result> start(child_ref child);
  task<> stop(child_ref child, cancel_reason reason);
  void report_start(const specified_child& child) noexcept;
  bool leave_stuck(specified_child& child, const cancel_reason& reason);
  bool ended(const specified_child& child) const noexcept;
  void settle_end(specified_child& child);
  void forget_next_start(specified_child& child) noexcept;
  void forget_next_starts() noexcept;
  void drop(specified_child& child) noexcept;

  // Calls.
  void enqueue(const std::shared_ptr<overseer_call>& asked);
  void abandon(overseer_call& asked) noexcept;
  void report_unread(const error_entry& failure) noexcept;
  task<> answer(overseer_call& asked);
  task<> start_new(overseer_call& asked);
  task<> start_stopped(overseer_call& asked);
  task<std::exception_ptr> start_for(overseer_call& asked, child_ref child);
  task<> terminate(overseer_call& asked);
  child_ref add(child_spec& spec);
  void check(const std::vector<child_spec>& specs) const;
  specified_child& find(std::string_view id, const char* call) const;
  specified_child& stopped(std::string_view id, const char* call) const;
  static void tell(child_info& info, const specified_child& child) noexcept;
  void refuse_calls() noexcept;
  void finish(overseer_call& asked) noexcept;

  bool going() const noexcept;
  bool hurried() const noexcept;

  supervisor_core& core_;
  const restart_rules rules_;
  shielded_node children_node_;
  signal news_;

  mutable std::mutex mutex_;
  message_queue messages_;  // Under the lock, and all here.
  run* run_ = nullptr;      // The one that is to hear of messages.
  bool hurried_ = false;
  child_list children_;  // Written by the run; it alone reads without the lock.
  std::map<std::string, child_list::iterator, std::less<>> by_id_;
  std::shared_ptr<const restart_handler> restart_handler_;
  std::size_t running_ = 0;  // Of the children.

  // The run's alone.
  bool stopping_ = false;
  bool draining_ = false;  // Seen: nobody is started any more.
  restart_window window_;
  due_children due_;
  std::optional<std::uint64_t> seed_;
};

}  // namespace coppice::inline v0::detail
