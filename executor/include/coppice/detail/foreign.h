// The border to coroutines of other libraries: their awaitables in our tasks, and our tasks in theirs.
//
// A foreign awaitable resumes a coroutine wherever it likes, and our tasks run on their workers only. So it is
// handed a bridge, a coroutine that does nothing but queue the task when it is resumed; the task itself takes
// the result, on its worker. Nothing is known of how such an awaitable could be interrupted.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/cancel.h>
#include <coppice/detail/export.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>

#include <concepts>
#include <coroutine>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

// A task's wait for a foreign awaitable, as its bridge sees it.
class COPPICE_EXPORT bridge_wait : public suspension, public job {
 public:
  enum class end {
    resumed,
    stopped,    // By a call of unhandled_stopped().
    destroyed,  // The bridge never goes on.
  };

  bridge_wait(const bridge_wait&) = delete;
  bridge_wait& operator=(const bridge_wait&) = delete;

  // Any thread, once. The wait may be gone afterwards.
  void end_with(end how) noexcept {
    how_ = how;
    resume();
  }

 protected:
  bridge_wait() noexcept = default;
  ~bridge_wait() { withdraw(); }

  // Throws std::bad_alloc. The slot is never published, so no cancel will claim it: it is there for dumps.
  void begin(promise_base& task, worker_core& here);
  void withdraw() noexcept;

  // Throws if the bridge was not resumed.
  void require_resumed() const;

 private:
  static void go_on(job& self, worker_core& here) noexcept;

  promise_base* task_ = nullptr;  // begin().
  end how_ = end::resumed;        // end_with().
};

class bridge_promise;
using bridge = std::coroutine_handle<bridge_promise>;

struct bridge_object {
  using promise_type = bridge_promise;
  bridge handle;
};

// Has no operator new of its own: a bridge is freed where its awaitable resumes it.
class bridge_promise {
 public:
  explicit bridge_promise(bridge_wait& to) noexcept : to_(&to) {}
  bridge_promise(const bridge_promise&) = delete;
  bridge_promise& operator=(const bridge_promise&) = delete;
  ~bridge_promise() {
    if (to_ != nullptr) {
      to_->end_with(bridge_wait::end::destroyed);
    }
  }

  bridge_object get_return_object() noexcept { return {bridge::from_promise(*this)}; }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  void unhandled_exception() const noexcept {}  // There is nothing in it that throws.

  struct crossing {
    bool await_ready() const noexcept { return false; }
    COPPICE_AWAIT_SUSPEND void await_suspend(bridge self) const noexcept {
      self.promise().close(bridge_wait::end::resumed);
    }
    void await_resume() const noexcept {}
  };
  crossing final_suspend() const noexcept { return {}; }

  // What a std::execution-like awaitable calls, instead of resuming, when it has been stopped.
  std::coroutine_handle<> unhandled_stopped() noexcept {
    close(bridge_wait::end::stopped);
    return std::noop_coroutine();
  }

  // Was not needed.
  void discard() noexcept {
    to_ = nullptr;
    bridge::from_promise(*this).destroy();
  }

 private:
  void close(bridge_wait::end how) noexcept {
    bridge_wait& to = *to_;
    discard();
    to.end_with(how);
  }

  bridge_wait* to_;  // Null once that has been told.
};

// Suspended, and ends when it is resumed. Throws std::bad_alloc.
COPPICE_EXPORT bridge make_bridge(bridge_wait& to);

template <class A>
decltype(auto) awaiter_of(A&& from) {
  if constexpr (has_member_co_await<A>) {
    return static_cast<A&&>(from).operator co_await();
  } else if constexpr (has_free_co_await<A>) {
    return operator co_await(static_cast<A&&>(from));
  } else {
    return static_cast<A&&>(from);
  }
}

// Where an awaiter lies that is made late: one that cannot be moved, or a reference.
template <class Awaiter>
class awaiter_place {
 public:
  awaiter_place() noexcept {}
  awaiter_place(const awaiter_place&) = delete;
  awaiter_place& operator=(const awaiter_place&) = delete;
  ~awaiter_place() {
    if (made_) {
      std::destroy_at(std::addressof(awaiter_));
    }
  }

  template <class A>
  Awaiter& make(A&& from) {
    ::new (static_cast<void*>(std::addressof(awaiter_)))
        Awaiter(awaiter_of(static_cast<A&&>(from)));
    made_ = true;
    return awaiter_;
  }

  Awaiter& get() noexcept { return awaiter_; }

 private:
  union {
    Awaiter awaiter_;
  };
  bool made_ = false;
};

template <class Awaiter>
  requires std::is_reference_v<Awaiter>
class awaiter_place<Awaiter> {
 public:
  template <class A>
  std::remove_reference_t<Awaiter>& make(A&& from) {
    auto&& awaiter = awaiter_of(static_cast<A&&>(from));
    awaiter_ = std::addressof(awaiter);
    return *awaiter_;
  }

  std::remove_reference_t<Awaiter>& get() noexcept { return *awaiter_; }

 private:
  std::remove_reference_t<Awaiter>* awaiter_ = nullptr;
};

// Awaits what is not ours: looks for a stop on entry, and is not interrupted. The awaitable lives in the
// awaiting expression.
template <class A>
class [[nodiscard]] bridge_await : public own_awaitable, bridge_wait {
 public:
  using value_type = awaited_t<A>;

  explicit bridge_await(A&& from) noexcept : from_(from) {}

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    promise_base& task = awaiting.promise();
    const epoch now = here.now();
    if (task.scope()->cancelled_at(now)) [[unlikely]] {
      return here.stop_from_loop(task);
    }
    auto& awaiter = awaiter_.make(static_cast<A&&>(from_));
    if (awaiter.await_ready()) {
      return here.go_on(task);
    }
    begin(task, here);
    const bridge crossing = make_bridge(*this);
    using answer = decltype(awaiter.await_suspend(crossing));
    try {
      if constexpr (std::is_void_v<answer>) {
        awaiter.await_suspend(crossing);
        return std::noop_coroutine();
      } else if constexpr (std::is_same_v<answer, bool>) {
        if (awaiter.await_suspend(crossing)) {
          return std::noop_coroutine();
        }
      } else {
        const std::coroutine_handle<> resumed = awaiter.await_suspend(crossing);
        return here.stack_left() ? resumed : here.resume_from_loop(resumed);
      }
    } catch (...) {
      crossing.promise().discard();
      throw;
    }
    crossing.promise().discard();
    return here.go_on(task);
  }

  value_type await_resume() {
    withdraw();
    require_resumed();
    return awaiter_.get().await_resume();
  }

 private:
  std::remove_reference_t<A>& from_;
  awaiter_place<decltype(awaiter_of(std::declval<A>()))> awaiter_;
};

// A foreign coroutine that waits for a task of ours. On a worker; the task stands under the scope of what runs
// there.
class COPPICE_EXPORT border : public receiver {
 public:
  border(const border&) = delete;
  border& operator=(const border&) = delete;

 protected:
  border() noexcept = default;
  ~border() = default;

  // Usage_error on a thread that is no worker.
  template <class Promise>
  worker_core& come_from(std::coroutine_handle<Promise> foreign) {
    worker_core& here = required_worker();
    foreign_ = foreign;
    scope_ = here.scope != nullptr ? here.scope : &no_scope();
    if constexpr (requires(Promise& promise) {
                    { promise.unhandled_stopped() } -> std::convertible_to<std::coroutine_handle<>>;
                  }) {
      unhandled_stopped_ = [](void* address) noexcept -> std::coroutine_handle<> {
        return std::coroutine_handle<Promise>::from_address(address).promise().unhandled_stopped();
      };
    }
    return here;
  }

  cancel_node* scope() const noexcept { return scope_; }

  // Throws operation_cancelled if the task was stopped.
  void require_end() const {
    if (stopped_by_) [[unlikely]] {
      throw_stopped();
    }
  }

 private:
  // Of a foreign coroutine that no task of ours has called: nobody asks it to stop.
  static cancel_node& no_scope() noexcept;
  static worker_core& required_worker();
  [[noreturn]] void throw_stopped() const;

  std::coroutine_handle<> completed(worker_core& here) noexcept override;
  std::coroutine_handle<> stopped(worker_core& here) noexcept override;

  std::coroutine_handle<> foreign_;
  std::coroutine_handle<> (*unhandled_stopped_)(void* foreign) noexcept = nullptr;
  cancel_node* scope_ = nullptr;
  std::optional<cancel_reason> stopped_by_;  // The worker that was to resume it.
};

}  // namespace coppice::inline v0::detail
