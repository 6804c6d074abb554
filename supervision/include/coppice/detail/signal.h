// Something that happens once, and one task that waits for it.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/slot.h>
#include <coppice/detail/wait.h>

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

  // Awaited by one task at a time. A cancellation point.
  auto wait(const char* what) noexcept { return operation(*this, what); }

 private:
  class source {
   public:
    using value_type = void;
    static constexpr const char* name = "signal";

    source(signal& of, const char* what) noexcept : of_(of), what_(what) {}

    bool ready() const noexcept { return of_.is_set(); }
    COPPICE_EXPORT void arm(const ticket& wait, worker_core& here);
    COPPICE_EXPORT void disarm() noexcept;
    void result() const noexcept {}

   private:
    signal& of_;
    const char* what_;
  };

  struct operation : wait_operation<source> {
    operation(signal& of, const char* what) : wait_operation<source>(source(of, what)) {}
  };

  mutable std::mutex mutex_;
  bool set_ = false;     // Under the lock.
  ticket waiting_ = {};  // Under the lock.
};

}  // namespace coppice::inline v0::detail
