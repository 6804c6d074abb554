// Code that blocks its thread, run beside the workers.
//
// A runtime has threads for such calls apart from its workers: at most COPPICE_BLOCKING_THREADS, started when
// a call finds none free and ended some seconds after their last; their stacks are the system's. A call beyond
// that waits its turn. Nothing can stop a call that has begun: a dump shows whose it is, and the runtime's end
// waits for it.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/awaiter.h>
#include <coppice/cancel.h>
#include <coppice/detail/blocking_call.h>
#include <coppice/detail/result_slot.h>
#include <coppice/site.h>
#include <coppice/task_handle.h>

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

// What a stop means for a call that has begun. One that has not is withdrawn: it never runs.
enum class blocking_cancel : std::uint8_t {
  wait,  // The stop waits until the call has returned; its value is delivered, its failure thrown.
  detach,  // The task stops at once. The call goes on alone; its value is dropped, its failure reported.
};

// The name is copied by the call.
struct blocking_options {
  std::string_view name = {};  // In dumps and reports.
  blocking_cancel on_cancel = blocking_cancel::wait;
  source_site site = source_site::current();
};

namespace detail {

// The callable that a call owns: `moved(fn)` means fn itself.
template <class F>
struct owned_callable {
  using type = F;
};
template <class F>
struct owned_callable<moved_ref<F>> {
  using type = F;
};
template <class F>
using owned_callable_t = typename owned_callable<std::decay_t<F>>::type;

template <class F>
concept takes_nothing = std::is_invocable_v<owned_callable_t<F>&>;

template <class F>
concept takes_token = !takes_nothing<F> && std::is_invocable_v<owned_callable_t<F>&, cancel_token>;

template <class F>
struct blocking_value : std::invoke_result<owned_callable_t<F>&> {};
template <takes_token F>
struct blocking_value<F> : std::invoke_result<owned_callable_t<F>&, cancel_token> {};

template <class F>
using blocking_value_t = typename blocking_value<F>::type;

// A call that gives a T. Its worker begins it, then its thread has it to itself; of the completion see
// blocking_call.
template <class T>
class typed_blocking_call : public blocking_call {
 public:
  // The waiting task's worker.
  void start(completion<T> done, worker_core& here) {
    prepare();
    done_ = std::move(done);
    submit(here);
  }

  void cancel() noexcept {
    if (withdraw()) {
      const completion<T> done = std::move(done_);
      done.stopped();
    }
  }

 protected:
  typed_blocking_call(std::string_view name, bool may_be_left, const source_site& site)
      : blocking_call(name, may_be_left, site) {
    result_.reset();
  }
  ~typed_blocking_call() override { result_.clear(); }

  result_slot<T> result_;

 private:
  virtual void prepare() {}

  void deliver() noexcept final {
    const completion<T> done = std::move(done_);
    if (result_.failed()) {
      done.fail(result_.take_failure());
      return;
    }
    try {
      if constexpr (std::is_void_v<T>) {
        done.complete();
      } else {
        done.complete(result_.take_value());
      }
    } catch (...) {
      done.fail(std::current_exception());
    }
  }

  std::exception_ptr failure() noexcept final {
    return result_.failed() ? result_.failure() : nullptr;
  }

  completion<T> done_;
};

template <class T, class F>
class blocking_function final : public typed_blocking_call<T> {
 public:
  template <class G>
  blocking_function(const blocking_options& options, G&& function)
      : typed_blocking_call<T>(options.name, options.on_cancel == blocking_cancel::detach,
                               options.site),
        function_(std::in_place, std::forward<G>(function)) {}

 private:
  static constexpr bool wants_token = !std::is_invocable_v<F&>;

  void prepare() override {
    if constexpr (wants_token) {
      token_ = this_task::token();
    }
  }

  // The function is gone before its result is seen, as the frame of an awaited task.
  void call() noexcept override {
    try {
      if constexpr (std::is_void_v<T>) {
        invoke();
      } else {
        this->result_.emplace(invoke());
      }
    } catch (...) {
      this->result_.fail(std::current_exception());
    }
    function_.reset();
  }

  T invoke() {
    if constexpr (wants_token) {
      return std::invoke(*function_, std::move(token_));
    } else {
      return std::invoke(*function_);
    }
  }

  std::optional<F> function_;
  cancel_token token_;
};

// The operation that is performed: one owner of the call.
template <class T>
class started_blocking_call {
 public:
  using value_type = T;
  static constexpr const char* wait_name = "spawn_blocking";

  explicit started_blocking_call(typed_blocking_call<T>& made) noexcept : call_(&made) {}
  started_blocking_call(started_blocking_call&& other) noexcept
      : call_(std::exchange(other.call_, nullptr)) {}
  started_blocking_call& operator=(started_blocking_call&&) = delete;
  ~started_blocking_call() {
    if (call_ != nullptr) {
      call_->drop();
    }
  }

  void start(completion<T> done) { call_->start(std::move(done), *this_worker()); }
  void cancel() noexcept { call_->cancel(); }

 private:
  typed_blocking_call<T>* call_;
};

template <class T>
using blocking_operation = perform_operation<started_blocking_call<T>>;

template <class F>
blocking_operation<blocking_value_t<F>> make_blocking_call(const blocking_options& options,
                                                           F&& given) {
  using value = blocking_value_t<F>;
  using function = owned_callable_t<F>;
  const auto make = [&](auto&& from) {
    return new blocking_function<value, function>(options, std::forward<decltype(from)>(from));
  };
  typed_blocking_call<value>* made = nullptr;
  if constexpr (std::is_same_v<function, std::decay_t<F>>) {
    made = make(std::forward<F>(given));
  } else {
    made = make(std::move(given.get()));
  }
  return {started_blocking_call<value>(*made), options.site};
}

}  // namespace detail

// Runs fn(), or fn(cancel_token), on a thread for blocking calls, when awaited; gives what it returns, throws
// what it throws. fn is owned by the call (an lvalue is copied; moved(fn) moves), and destroyed before the await
// goes on. The token sees what this_task::token() does. A cancellation point: a stop that is there on entry, or
// comes before the call has begun, means that it never runs; later see blocking_cancel. Not itself a task: several
// at once by gather, one on the side by spawning a task that awaits it. On the thread there is no current task.
// Throws std::bad_alloc, and std::system_error if no thread can be started while there is none.
template <class F>
  requires(detail::takes_nothing<F> || detail::takes_token<F>)
detail::guarded<detail::blocking_operation<detail::blocking_value_t<F>>, F> spawn_blocking(
    F&& fn, source_site site = source_site::current()) {
  return detail::make_blocking_call({.site = site}, std::forward<F>(fn));
}

template <class F>
  requires(detail::takes_nothing<F> || detail::takes_token<F>)
detail::guarded<detail::blocking_operation<detail::blocking_value_t<F>>, F> spawn_blocking(
    blocking_options options, F&& fn) {
  return detail::make_blocking_call(options, std::forward<F>(fn));
}

}  // namespace coppice::inline v0
