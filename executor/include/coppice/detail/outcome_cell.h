// What a handle refers to: one spawned task's name, state and outcome. It outlives the task's frame.
//
// Orderings
//   C1  A cell is dropped by releasing what its user wrote; who drops the last reference acquires it.
//   C2  The task stores its outcome, then its status; who reads the status sees the outcome.
//   C3  The task stores its status, then looks whether anybody waits for it; who waits says so, then reads the status:
//       one of the two sees the other.
//   C4  The annex is published once made.
#pragma once

#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/binding.h>
#include <coppice/detail/executor_link.h>
#include <coppice/detail/job.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/task_node.h>
#include <coppice/report.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::inline v0 {
struct spawn_options;
}  // namespace coppice::inline v0

namespace coppice::inline v0::detail {

class backtrace;
class outcome_cell;

enum class admission { admitted, cancelled, closed, exhausted };

// Who keeps spawned tasks: the executor's list of them, or a scope. Told of each task's beginning and end.
class task_keeper {
 public:
  // A task is about to be made: counts it in, unless it is refused because the keeper is closed or full. Any thread.
  // `cancelled` counts it too, though its body shall not run.
  [[nodiscard]] virtual admission enter() noexcept = 0;

  // One that has been counted in and is not listed yet will not be, after all.
  virtual void leave() noexcept = 0;

  // Lists it. Throws std::bad_alloc, and it is then only counted.
  virtual void list(outcome_cell& task) = 0;

  // Each of its tasks keeps it, if it is counted.
  virtual bool add_reference() noexcept { return false; }
  virtual void drop(std::uint32_t /*references*/) noexcept {}

  // Under which its tasks stand.
  virtual cancel_node* node() noexcept = 0;

  // The task has ended and its outcome is visible; its frame is gone. `taken`: an awaiter was suspended on
  // its handle. On a worker. The cell may be gone afterwards.
  virtual void ended(outcome_cell& task, bool taken) noexcept = 0;

  // For a keeper that stands on this one: the task is listed no more, but still counted.
  virtual void unlist(outcome_cell& /*task*/) noexcept {}

  // So many of its tasks are counted no more. On a worker. The keeper may be gone afterwards.
  virtual void left(std::uint32_t /*tasks*/, worker_core& /*here*/) noexcept {}

  virtual executor_core& home() const noexcept = 0;

  // For messages: "the runtime". And its own name, if it has one.
  virtual const char* kind() const noexcept = 0;
  virtual std::string name() const { return {}; }

  // How often its task has been started again.
  virtual unsigned restarts() const noexcept { return 0; }

 protected:
  ~task_keeper() = default;
};

// Of the executor: what all others stand on.
COPPICE_EXPORT task_keeper& root_keeper(const worker_core& here) noexcept;

// Tells a failure to the nearest that wants to hear of it: the node itself or one above, in the end the executor's
// handler. What a handler throws goes to the next, with the failure beside it. `here`: the caller's worker.
COPPICE_EXPORT void report_from(cancel_node* from, const worker_core& here, error_origin origin,
                                error_entry entry) noexcept;

// One that waits for the end of a task, in a list of its cell.
struct end_waiter {
  ticket wait;
  end_waiter* next = nullptr;
  end_waiter* previous = nullptr;
  bool listed = false;
  bool takes = true;  // Its owner will see to a failure.
  bool told = false;  // It was there when the task ended.
};

class COPPICE_EXPORT outcome_cell : public job, public receiver {
 public:
  outcome_cell(task_keeper& keeper, const spawn_options& options);
  outcome_cell(const outcome_cell&) = delete;
  outcome_cell& operator=(const outcome_cell&) = delete;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (references_.load(std::memory_order_acquire) == 1 ||          // C1
        references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {  // C1
      destroy();
    }
  }

  task_id id() const noexcept { return id_; }
  task_id parent() const noexcept {
    return parent_;
  }  // Of the task that hosts the scope it was spawned into.
  bool guaranteed() const noexcept { return guaranteed_; }
  source_site site() const noexcept { return site_; }
  time_point spawned_at() const noexcept { return spawned_at_; }
  // The latest name. The view is valid while the cell lives: names given up are kept until then.
  std::string_view name() const noexcept;
  void rename(std::string_view name);

  task_status status() const noexcept;
  bool done() const noexcept { return is_end(status_.load(std::memory_order_seq_cst)); }  // C2 N2
  bool was_cancelled() const noexcept {
    return status_.load(std::memory_order_acquire) == task_status::cancelled;  // C2
  }

  // Any thread.
  void cancel(const cancel_reason& reason) noexcept;

  // The same, shields overridden.
  void cancel_overriding(const cancel_reason& reason) noexcept;
  cancel_token token() { return node_.token(); }

  // The failure that its code is about to throw has this to be said of it, should it become the task's. Code of
  // the task.
  void remember(error_entry about) noexcept;

  // What is known of a failure of its code: with what has been remembered of it.
  // `where`: under which it was thrown, if that is not the task itself.
  error_entry entry_for(std::exception_ptr error, cancel_node* where = nullptr) noexcept;

  // What task_locals were bound to where it was spawned.
  const binding_ref& bindings() const noexcept { return bindings_; }
  void on_done(std::function<void()> function);

  // Registers a waiter; false if the task is done already.
  bool add_waiter(end_waiter& waiter) noexcept;
  void remove_waiter(end_waiter& waiter) noexcept;

  // What the task waits for now; null if it waits for nothing.
  const char* waiting_for() const noexcept { return node_.waiting_for(); }
  time_point waiting_since() const noexcept { return node_.waiting_since(); }
  bool cancel_requested() const noexcept { return node_.requested(); }
  task_node& node() noexcept { return node_; }
  const executor_ref& home() const noexcept { return home_; }

  // The time that it was given, or never.
  time_point deadline() const noexcept;
  task_keeper& keeper() const noexcept { return keeper_; }

  // The failure, if it failed.
  virtual const error_entry& failure() const noexcept = 0;

  // Why, if it was cancelled. Its node does not know when it has ended, for those above may be gone.
  virtual cancel_reason reason() const noexcept = 0;

  // It ends as cancelled before it has begun, and was not listed.
  void refuse() noexcept;

  // Queues the task's start, or runs it here up to its first suspension if it was spawned `immediate` on a
  // worker of its executor. Once, after its keeper has admitted it. Takes over one reference.
  void launch(bool immediate) noexcept;

  static void* operator new(std::size_t bytes);
  static void operator delete(void* cell, std::size_t bytes) noexcept;

  // The keeper's: its place in the list of live tasks, and whether it has left it for good.
  slot* listed = nullptr;
  void leave_list() noexcept { left_.store(true, std::memory_order_relaxed); }
  bool has_left_list() const noexcept { return left_.load(std::memory_order_relaxed); }

 protected:
  virtual ~outcome_cell();

  // Makes the coroutine, or runs the plain function to its end. Returns what to resume, or nothing if the
  // result is there. What it throws is the task's failure.
  virtual promise_base* begin() = 0;
  virtual failure_slot& result() noexcept = 0;

  // Turns the result into the outcome; destroys what the task was started from.
  virtual void settle_value() = 0;
  virtual void settle_failure(error_entry entry) noexcept = 0;
  virtual void settle_cancelled(cancel_reason reason) noexcept = 0;
  virtual void discard_start() noexcept = 0;

  std::coroutine_handle<> completed(worker_core& here) noexcept final;
  std::coroutine_handle<> stopped(worker_core& here) noexcept final;

 private:
  static constexpr bool is_end(task_status status) noexcept {
    return status == task_status::completed || status == task_status::failed ||
           status == task_status::cancelled;
  }

  // See task_annex.h.
  class time_limit;
  struct annex;
  class late_call;

  static void start_job(job& self, worker_core& here) noexcept;
  void destroy() noexcept;
  void finish(task_status end, worker_core& here) noexcept;
  std::vector<std::string> backtraces(const std::optional<cancel_reason>& context) const;
  bool tell_those_waiting(worker_core& here) noexcept;
  bool ended_before_awaited() noexcept;
  void run_done_call(const std::function<void()>& call) noexcept;

  std::mutex& mutex() const noexcept { return home_.link->lock_of(this); }
  annex* extra() const noexcept { return annex_.load(std::memory_order_acquire); }  // C4
  annex* first_annex(const spawn_options& options, bool debug);
  annex& make_annex();
  time_limit* limit() const noexcept;

  task_node node_;
  task_keeper& keeper_;
  const executor_ref home_;        // For calls that come when it may be gone.
  atomic<annex*> annex_{nullptr};  // Whoever needs it first, under the lock.
  end_waiter* waiters_ = nullptr;  // Under the lock: none once the status is an end.
  const binding_ref bindings_;
  const task_id id_;
  const task_id parent_;
  const time_point spawned_at_;
  const source_site site_;
  atomic<std::uint32_t> references_{1};
  atomic<task_status> status_{task_status::pending};
  const bool guaranteed_;
  const bool keeps_keeper_;
  atomic<bool> awaited_{
      false};                 // Under the lock: somebody has asked to be told of the end. For ever.
  atomic<bool> left_{false};  // Under a lock of the keeper's.
};

// A counted reference to a cell.
class cell_ref {
 public:
  cell_ref() noexcept = default;
  explicit cell_ref(outcome_cell* counted) noexcept
      : cell_(counted) {}  // Takes the reference over.
  cell_ref(const cell_ref& other) noexcept : cell_(other.cell_) {
    if (cell_ != nullptr) {
      cell_->add_reference();
    }
  }
  cell_ref(cell_ref&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  cell_ref& operator=(cell_ref other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~cell_ref() {
    if (cell_ != nullptr) {
      cell_->drop();
    }
  }

  outcome_cell* get() const noexcept { return cell_; }
  outcome_cell* release() noexcept { return std::exchange(cell_, nullptr); }

 private:
  outcome_cell* cell_ = nullptr;
};

// The cell of a task<T>: the place of its result, and from its end on that of its outcome.
template <class T>
class typed_cell : public outcome_cell {
 public:
  typed_cell(task_keeper& keeper, const spawn_options& options) : outcome_cell(keeper, options) {}

  // Only when done().
  const coppice::outcome<T>& outcome() const noexcept { return outcome_; }

  // Only when done(), by one caller: the value can be moved out once.
  coppice::outcome<T>& outcome() noexcept { return outcome_; }

  // True for the first who asks.
  bool take_value() noexcept { return !taken_.exchange(true, std::memory_order_relaxed); }

  const error_entry& failure() const noexcept final { return outcome_.entry(); }
  cancel_reason reason() const noexcept final { return outcome_.reason(); }

 protected:
  // One that has not ended has not begun either, and holds nothing.
  ~typed_cell() override {
    if (done()) {
      std::destroy_at(&outcome_);
    }
  }

  failure_slot& result() noexcept final { return result_; }
  result_slot<T>& place() noexcept { return result_; }

  // If the value cannot be moved the result is left empty, for the failure that takes its place.
  void settle_value() final {
    if constexpr (std::is_void_v<T>) {
      drain();
      end_with(nullptr);
    } else if constexpr (std::is_reference_v<T>) {
      end_with(drain());
    } else {
      T value = drain();
      try {
        end_with(std::in_place, std::move(value));
      } catch (...) {
        std::construct_at(&result_);
        result_.reset();
        throw;
      }
    }
  }
  void settle_failure(error_entry entry) noexcept final {
    result_.clear();
    end_with(failed_tag(), std::move(entry));
  }
  void settle_cancelled(cancel_reason reason) noexcept final {
    end_with(cancelled_tag(), std::move(reason));
  }

 private:
  // The result is empty behind it, also if the value cannot be moved.
  T drain() {
    const struct clearing {
      result_slot<T>& result;
      ~clearing() { result.clear(); }
    } at_end{result_};
    return result_.take_value();
  }

  template <class... From>
  void end_with(From&&... from) {
    std::construct_at(&outcome_, std::forward<From>(from)...);
  }

  union {
    result_slot<T> result_{};      // Until the outcome is settled.
    coppice::outcome<T> outcome_;  // The task, before its status.
  };
  atomic<bool> taken_{false};
};

// A cell that keeps what its task is started from: a task<T>, or a callable with its arguments.
template <class T, class Start>
class spawned_cell final : public typed_cell<T> {
 public:
  template <class... Args>
  spawned_cell(task_keeper& keeper, const spawn_options& options, Args&&... from)
      : typed_cell<T>(keeper, options), start_(std::forward<Args>(from)...) {}
  spawned_cell(const spawned_cell&) = delete;
  spawned_cell& operator=(const spawned_cell&) = delete;

  Start& start_of() noexcept { return start_; }

 private:
  ~spawned_cell() override {
    if (!this->done()) {
      std::destroy_at(&start_);
    }
  }

  promise_base* begin() override { return start_.begin(*this, &this->node(), this->place()); }
  void discard_start() noexcept override { std::destroy_at(&start_); }

  union {
    Start start_;  // Until the end.
  };
};

}  // namespace coppice::inline v0::detail
