// The order in which children have ended, and the one who takes them in that order.
#pragma once

#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/export.h>
#include <coppice/detail/signal.h>
#include <coppice/outcome.h>
#include <coppice/scope.h>
#include <coppice/task.h>

#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

namespace coppice::inline v0::detail {

template <class R, class Body, bool Abort>
class completion_run;

class COPPICE_EXPORT arrivals {
  class source;

 public:
  arrivals(std::size_t n, bool abort);
  arrivals(const arrivals&) = delete;
  arrivals& operator=(const arrivals&) = delete;

  // The children.
  void begin(cancel_scope& scope) noexcept;
  void arrive(std::size_t i, const error_entry& failure) noexcept;
  void end_of_children() noexcept;

  // The body. False: all have been given. Throws timeout_error.
  task<bool> wait();
  std::size_t take() noexcept;
  std::size_t remaining() const noexcept;
  bool aborts() const noexcept { return abort_; }
  void limit_to(duration timeout);

  // Cancels and awaits the rest, then throws.
  task<> abort(error_entry failure, cancel_reason reason);

  void cancel_rest(const cancel_reason& reason) noexcept;

  // What is left is cancelled; what failed and was not given is reported.
  void end_of_body() noexcept;

 private:
  void cancel_with(const cancel_reason& reason) noexcept;
  task<> await_children();
  void report_rest() noexcept;

  const std::size_t total_;
  const bool abort_;
  std::optional<duration> timeout_;
  time_point due_ = time_point::max();
  mutable std::mutex mutex_;
  std::vector<std::size_t>
      arrived_;  // Under the lock, and all here. Room for all was taken before.
  std::vector<error_entry> failures_;
  std::size_t given_ = 0;
  bool body_ended_ = false;
  bool children_ended_ = false;
  scope_handle scope_;
  std::optional<cancel_reason> wanted_;  // Asked for before the scope was there.
  std::optional<ticket> waiting_;
  signal all_ended_;  // Outside the lock.
};

}  // namespace coppice::inline v0::detail
