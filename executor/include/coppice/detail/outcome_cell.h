// What a handle refers to: one spawned task's name, state and outcome. It outlives the task's frame.
//
// Orderings
//   C1  A cell is dropped by releasing what its user wrote; who drops the last reference acquires it.
//   C2  The task stores its outcome, then its status; who reads the status sees the outcome.
#pragma once

#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/atomic.h>
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

class outcome_cell;

enum class admission { admitted, closed, exhausted };

// Who keeps spawned tasks: the executor's list of them, or a scope. Told of each task's beginning and end.
class task_keeper {
 public:
  // Takes a task in, from any thread, or refuses it. Throws std::bad_alloc, and has then not taken it.
  [[nodiscard]] virtual admission admit(outcome_cell& task) = 0;

  // Under which its tasks stand.
  virtual cancel_node* node() noexcept = 0;

  // The task has ended and its outcome is visible; its frame is gone. `taken`: an awaiter was suspended on
  // its handle. On a worker. The cell may be gone afterwards.
  virtual void ended(outcome_cell& task, bool taken) noexcept = 0;

  virtual executor_core& home() const noexcept = 0;

  // A failure that nobody took. Any thread of the executor.
  virtual void report(const error_report& report) noexcept = 0;

  // For messages: "the runtime".
  virtual const char* kind() const noexcept = 0;

 protected:
  ~task_keeper() = default;
};

// One that waits for the end of a task, in a list of its cell.
struct end_waiter {
  ticket wait;
  end_waiter* next = nullptr;
  end_waiter* previous = nullptr;
  bool listed = false;
};

class COPPICE_EXPORT outcome_cell : public job, public receiver {
 public:
  outcome_cell(task_keeper& keeper, const spawn_options& options, task_id parent);
  outcome_cell(const outcome_cell&) = delete;
  outcome_cell& operator=(const outcome_cell&) = delete;

  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {  // C1
      destroy();
    }
  }

  task_id id() const noexcept { return id_; }
  task_id parent() const noexcept { return parent_; }
  source_site site() const noexcept { return site_; }
  time_point spawned_at() const noexcept { return spawned_at_; }
  // The latest name. The view is valid while the cell lives: names given up are kept until then.
  std::string_view name() const noexcept;
  void rename(std::string_view name);

  task_status status() const noexcept;
  bool done() const noexcept { return is_end(status_.load(std::memory_order_acquire)); }  // C2

  // Any thread.
  void cancel(const cancel_reason& reason) noexcept;
  cancel_token token() { return node_.token(); }
  void on_done(std::function<void()> function);

  // Registers a waiter; false if the task is done already.
  bool add_waiter(end_waiter& waiter) noexcept;
  void remove_waiter(end_waiter& waiter) noexcept;

  // What the task waits for now; null if it waits for nothing.
  const char* waiting_for() const noexcept { return node_.waiting_for(); }
  bool cancel_requested() const noexcept { return node_.requested(); }
  task_node& node() noexcept { return node_; }
  task_keeper& keeper() const noexcept { return keeper_; }

  // The failure, if it failed.
  virtual const error_entry& failure() const noexcept = 0;

  // Queues the task's start, or runs it here up to its first suspension if it was spawned `immediate` on a
  // worker of its executor. Once, after its keeper has admitted it. Takes over one reference.
  void launch(bool immediate) noexcept;

  static void* operator new(std::size_t bytes);
  static void operator delete(void* cell, std::size_t bytes) noexcept;

  // The keeper's: its place in the list of live tasks, and whether it has left it.
  ticket listed;
  atomic<bool> left{false};

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

  error_entry entry_for(std::exception_ptr error) const noexcept;

 private:
  static constexpr bool is_end(task_status status) noexcept {
    return status == task_status::completed || status == task_status::failed ||
           status == task_status::cancelled;
  }

  // A name and those before it.
  struct label {
    std::string text;
    std::unique_ptr<const label> earlier;
  };

  // A deadline of the task's own, from spawn_options.
  class time_limit;
  class late_call;

  static void start_job(job& self, worker_core& here) noexcept;
  void destroy() noexcept;
  void finish(task_status end, worker_core& here) noexcept;
  void run_done_call(const std::function<void()>& call) noexcept;

  const task_id id_;
  const task_id parent_;
  const source_site site_;
  const time_point spawned_at_;
  const bool guaranteed_;
  const std::uint64_t home_id_;  // Of the executor, for calls that come when it may be gone.
  task_keeper& keeper_;
  task_node node_;
  std::unique_ptr<time_limit> limit_;  // Null unless the task was given one.
  atomic<std::uint32_t> references_{1};
  atomic<task_status> status_{task_status::pending};

  mutable std::mutex mutex_;
  end_waiter* waiters_ = nullptr;  // Under the lock: none once the status is an end.
  std::vector<std::function<void()>> done_calls_;  // Under the lock: likewise.
  std::unique_ptr<const label> label_;             // Under the lock.
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

// The cell of a task<T>.
template <class T>
class typed_cell : public outcome_cell {
 public:
  using outcome_cell::outcome_cell;

  // Only when done().
  const coppice::outcome<T>& outcome() const noexcept { return *outcome_; }

  // Only when done(), by one caller: the value can be moved out once.
  coppice::outcome<T>& outcome() noexcept { return *outcome_; }

  // True for the first who asks.
  bool take_value() noexcept { return !taken_.exchange(true, std::memory_order_relaxed); }

  const error_entry& failure() const noexcept final { return outcome_->entry(); }

 protected:
  failure_slot& result() noexcept final { return result_; }

  void settle_value() final {
    // Also if the value cannot be moved: the failure then takes its place.
    const struct clearing {
      result_slot<T>& result;
      ~clearing() { result.clear(); }
    } at_end{result_};
    if constexpr (std::is_void_v<T>) {
      outcome_.emplace(nullptr);
    } else if constexpr (std::is_reference_v<T>) {
      outcome_.emplace(result_.take_value());
    } else {
      outcome_.emplace(std::in_place, result_.take_value());
    }
  }
  void settle_failure(error_entry entry) noexcept final {
    result_.clear();
    outcome_.emplace(failed_tag(), std::move(entry));
  }
  void settle_cancelled(cancel_reason reason) noexcept final {
    outcome_.emplace(cancelled_tag(), std::move(reason));
  }

  result_slot<T> result_;

 private:
  std::optional<coppice::outcome<T>> outcome_;  // The task, before its status.
  atomic<bool> taken_{false};
};

// A cell that keeps what its task is started from: a task<T>, or a callable with its arguments.
template <class T, class Start>
class spawned_cell final : public typed_cell<T> {
 public:
  template <class... Args>
  spawned_cell(task_keeper& keeper, const spawn_options& options, task_id parent, Args&&... from)
      : typed_cell<T>(keeper, options, parent),
        start_(std::in_place, std::forward<Args>(from)...) {}

  Start& start_of() noexcept { return *start_; }

 private:
  promise_base* begin() override { return start_->begin(*this, &this->node(), this->result_); }
  void discard_start() noexcept override { start_.reset(); }

  std::optional<Start> start_;
};

}  // namespace coppice::inline v0::detail
