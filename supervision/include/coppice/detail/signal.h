// Something that happens, and one task that waits for it.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/wait.h>

#include <concepts>
#include <coroutine>
#include <mutex>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT signal {
 public:
  signal() noexcept = default;
  signal(const signal&) = delete;
  signal& operator=(const signal&) = delete;

  // Any thread; again of no effect. What its caller did before is visible to the one who waits.
  void set() noexcept;
  bool is_set() const noexcept;

  // It may happen again. By the one who waits.
  void clear() noexcept;

  class operation;

  // Awaited by one task at a time. A cancellation point. Dumps show `what`, which is static.
  operation wait(const char* what) noexcept;

 private:
  class source {
   public:
    using value_type = void;
    static constexpr const char* name = "signal";

    explicit source(signal& of) noexcept : of_(of) {}

    bool ready() const noexcept { return of_.is_set(); }
    COPPICE_EXPORT void arm(const ticket& wait, worker_core& here);
    COPPICE_EXPORT void disarm() noexcept;
    void result() const noexcept {}

   private:
    signal& of_;
  };

  mutable std::mutex mutex_;
  bool set_ = false;     // Under the lock.
  ticket waiting_ = {};  // Under the lock.
};

class [[nodiscard]] signal::operation : public wait_operation<source> {
 public:
  operation(signal& of, const char* what) noexcept
      : wait_operation<source>(source(of)), what_(what) {}

  // The frame may be gone when the base has suspended it.
  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    const char* const what = what_;
    if (here.wait_label == nullptr) {
      here.wait_label = what;
    }
    const std::coroutine_handle<> next = wait_operation<source>::await_suspend(awaiting);
    if (here.wait_label == what) {
      here.wait_label = nullptr;  // It need not wait.
    }
    return next;
  }

 private:
  const char* what_;
};

inline signal::operation signal::wait(const char* what) noexcept {
  return operation(*this, what);
}

}  // namespace coppice::inline v0::detail
