// An operation being performed: what its completions share, and how the task waits for it.
//
// Two parties settle when the task goes on: the first completing call, on any thread, and the worker that asks
// the operation to end because the task is to stop. The worker comes into it only if it has taken the slot of
// the wait: as a canceller that has claimed it, or as the suspender who sees the stop and gives it up. Each
// says in one word how far it is:
//
//     completing call    called . . writes the result . . ended . . claims the slot, unless the worker left
//     worker             asked . . cancel(), unless a call came before . . left
//
// Of `ended` and `left` whoever sets the later one makes the task go on. A completing call that finds no
// `left` claims the slot. If it wins, no worker will ever come; if it loses, one has the slot, has not left
// yet, and will find `ended` when it does. So the task goes on once, and never while cancel() runs.
//
// Invariants
//   - The result belongs to the call that set `called`, until `ended`; then to the task.
//   - Once `ended` is set, the call touches the state no more, and the waiting task only if it is the one to
//     make it go on: the task may be gone, the operation and the completion that was called with it.
//   - The state lives as long as the wait or a completion does, the slot for ever.
//
// Orderings
//   O1  The call writes the result, then sets `ended`; a worker that finds it there sees the result.
//   O2  The worker has done with the operation, then sets `left`; a call that finds it there lets the task go
//       on, which destroys the operation.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/reference_count.h>
#include <coppice/detail/result_slot.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>
#include <coppice/site.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT completion_state {
 public:
  // What a completing call is told; the first must give its result and then call end().
  enum class call { late, first, first_and_asked };

  completion_state(const completion_state&) = delete;
  completion_state& operator=(const completion_state&) = delete;

  // Completions, on any thread. The state begins with one.
  void add_completion() noexcept { completions_.add(); }
  void drop_completion() noexcept {
    if (completions_.drop()) {
      last_completion_dropped();
    }
  }

  [[nodiscard]] call begin_call() noexcept {
    const std::uint32_t before = phase_.fetch_or(called, std::memory_order_relaxed);
    return (before & called) != 0  ? call::late
           : (before & asked) != 0 ? call::first_and_asked
                                   : call::first;
  }

  // The result is there. *this and the completion may be gone afterwards.
  void end() noexcept { let_go_on(ended); }
  void end_failed(std::exception_ptr error) noexcept;

  // stopped() was called first.
  void end_stopped(bool as_asked) noexcept;

  // The worker that has taken the slot. False: a completing call was made, the operation must be left alone.
  [[nodiscard]] bool ask() noexcept {
    return (phase_.fetch_or(asked, std::memory_order_relaxed) & called) == 0;
  }

  // The same has done with the operation. True: the result is there, and it must make the task go on. False: a
  // call will, and the wait may be gone.
  [[nodiscard]] bool leave() noexcept {
    return (phase_.fetch_or(left, std::memory_order_acq_rel) & ended) != 0;  // O1 O2
  }

  // Whoever waits, when its wait is over or it has asked: is the result there?
  bool has_ended() const noexcept {
    return (phase_.load(std::memory_order_acquire) & ended) != 0;  // O1
  }

  // The task, when it goes on: was it withdrawn, as asked?
  bool stopped() const noexcept {
    return (phase_.load(std::memory_order_relaxed) & withdrawn) != 0;
  }

  // The task waits no more: behind end(), or because start() has thrown.
  void drop_ended() noexcept;
  void drop_abandoned() noexcept;

  static void* operator new(std::size_t bytes) { return promise_base::operator new(bytes); }
  static void operator delete(void* state, std::size_t bytes) noexcept {
    promise_base::operator delete(state, bytes);
  }

 protected:
  completion_state(suspension& waiter, const ticket& wait, const source_site& site) noexcept
      : waiter_(waiter), wait_(wait), site_(site) {
    owners_.add();
  }
  virtual ~completion_state() = default;

 private:
  static constexpr std::uint32_t called = 1;
  static constexpr std::uint32_t ended = 2;
  static constexpr std::uint32_t withdrawn = 4;  // With ended: stopped, as asked; no result.
  static constexpr std::uint32_t asked = 8;
  static constexpr std::uint32_t left = 16;

  virtual failure_slot& result() noexcept = 0;
  virtual void clear_result() noexcept = 0;

  void let_go_on(std::uint32_t how) noexcept;
  void last_completion_dropped() noexcept;
  void drop() noexcept;

  suspension& waiter_;
  const ticket wait_;
  const source_site site_;          // Where the operation is awaited.
  atomic<std::uint32_t> phase_{0};  // As above.
  reference_count completions_;     // All copies.
  reference_count owners_;          // Two: the wait, and the completions together.
};

template <class T>
class typed_completion_state final : public completion_state {
 public:
  typed_completion_state(suspension& waiter, const ticket& wait, const source_site& site) noexcept
      : completion_state(waiter, wait, site) {
    result_.reset();
  }
  ~typed_completion_state() override { result_.clear(); }

  // The first call, before end(). What the value's constructor throws is the failure.
  template <class... U>
  void set(U&&... value) noexcept {
    try {
      result_.emplace(std::forward<U>(value)...);
    } catch (...) {
      result_.fail(std::current_exception());
    }
  }

  // The task, behind end().
  T take() {
    if (result_.failed()) {
      std::rethrow_exception(result_.take_failure());
    }
    return result_.take_value();
  }

 private:
  failure_slot& result() noexcept override { return result_; }
  void clear_result() noexcept override { result_.clear(); }

  result_slot<T> result_;
};

// The wait, in the frame of the task. Used by its worker, in this order: begin(), the state is made and the
// operation started, suspend().
class COPPICE_EXPORT operation_wait : public suspension, public job {
 public:
  operation_wait& operator=(const operation_wait&) = delete;

 protected:
  using canceller = void(operation_wait&) noexcept;

  // `cancel` asks the operation to end; null if it cannot be asked.
  explicit operation_wait(canceller* cancel) noexcept : cancel_(cancel) {}
  operation_wait(operation_wait&& other) noexcept : cancel_(other.cancel_) {}  // Before the await.
  ~operation_wait() { end(); }

  // Takes a slot; dumps call the wait `what`, which is static. Throws std::bad_alloc.
  void begin(promise_base& task, worker_core& here, const char* what);
  ticket wait() const noexcept { return {at, generation_}; }
  void keep(completion_state& state) noexcept { state_ = &state; }  // Takes a reference over.

  // start() has thrown: no completing call counts any more.
  void give_up() noexcept;

  // The operation has been started. `seen`: the epoch at which no stop was requested.
  std::coroutine_handle<> suspend(worker_core& here, epoch seen) noexcept;

  void withdraw() noexcept;
  completion_state& state() const noexcept { return *state_; }

 private:
  static std::coroutine_handle<> stop(suspension& self, worker_core& here) noexcept;
  static void go_on(job& self, worker_core& here) noexcept;
  void end() noexcept;

  canceller* const cancel_;
  promise_base* task_ = nullptr;       // begin().
  completion_state* state_ = nullptr;  // keep(); one reference is ours.
  std::uint64_t generation_ = 0;       // begin().
};

// An operation that is performed as one of several waits, of which one suspension and its slot are another's. It has a
// job of its own, by which its completing call makes that other one go on: when the call has won the ticket, or was
// the last that was waited for.
class COPPICE_EXPORT performed_part : public job, public suspension {
 public:
  // What its job does; on a worker.
  using went_on = void(performed_part&, worker_core&) noexcept;
  using canceller = void(performed_part&) noexcept;

  // `cancel` is null if it cannot be interrupted.
  performed_part(went_on* then, canceller* cancel) noexcept : then_(then), cancel_(cancel) {
    run = &performed_part::go_on;
  }
  performed_part(performed_part&& other) noexcept : performed_part(other.then_, other.cancel_) {}
  ~performed_part() { end(); }

  // The task's worker: it is about to be started.
  void begin(completion_state& made, cancel_node* scope, worker_core& here) noexcept;

  bool begun() const noexcept { return state_ != nullptr; }
  completion_state& state() const noexcept { return *state_; }

  // The worker that has the slot of the wait: asks it to end. False: it has not ended yet, and its job will run.
  [[nodiscard]] bool withdraw(worker_core& here) noexcept;

  // The task: it has ended, and nothing is wanted of it any more.
  void end() noexcept;

 private:
  static void go_on(job& self, worker_core& here) noexcept {
    auto& part = static_cast<performed_part&>(self);
    part.then_(part, here);
  }

  went_on* const then_;
  canceller* const cancel_;
  cancel_node* scope_ = nullptr;
  completion_state* state_ = nullptr;  // Ours to drop.
};

}  // namespace coppice::inline v0::detail
