#include <coppice/detail/arrivals.h>

#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/wait.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/shield.h>
#include <coppice/time.h>

#include <algorithm>
#include <utility>

namespace coppice::inline v0::detail {

// The wait for one more arrival.
class arrivals::source {
 public:
  using value_type = void;
  static constexpr const char* name = "as_completed.next";

  explicit source(arrivals& of) noexcept : of_(of) {}

  bool ready() const noexcept {
    const std::lock_guard lock(of_.mutex_);
    return of_.given_ != of_.arrived_.size();
  }
  void arm(const ticket& wait, worker_core& /*here*/) {
    const std::lock_guard lock(of_.mutex_);
    if (of_.given_ != of_.arrived_.size()) {
      static_cast<void>(wait.claim());
    } else {
      of_.waiting_ = wait;
    }
  }
  void disarm() noexcept {
    const std::lock_guard lock(of_.mutex_);
    of_.waiting_.reset();
  }
  void result() const noexcept {}

 private:
  arrivals& of_;
};

arrivals::arrivals(std::size_t n, bool abort) : total_(n), abort_(abort) {
  arrived_.reserve(n);
  failures_.reserve(n);
}

void arrivals::begin(cancel_scope& scope) noexcept {
  std::optional<cancel_reason> wanted;
  {
    const std::lock_guard lock(mutex_);
    scope_ = scope.handle();
    wanted = wanted_;
  }
  if (wanted) {
    scope.cancel(*wanted);
  }
}

// Under the lock, since a waiter that is stopped meanwhile takes its ticket back under it.
void arrivals::arrive(std::size_t i, const error_entry& failure) noexcept {
  const std::lock_guard lock(mutex_);
  arrived_.push_back(i);
  failures_.push_back(failure);
  if (waiting_) {
    const ticket wait = *std::exchange(waiting_, std::nullopt);
    if (wait.claim() == claim_result::won) {
      wait.at->waiter().resume();
    }
  }
}

void arrivals::end_of_children() noexcept {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    children_ended_ = true;
    last = body_ended_;
  }
  all_ended_.set();
  if (last) {
    report_rest();
  }
}

void arrivals::end_of_body() noexcept {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    body_ended_ = true;
    last = children_ended_;
  }
  if (last) {
    report_rest();
  } else {
    cancel_with(reason_access::none());
  }
}

// Failures that came and were given to nobody.
void arrivals::report_rest() noexcept {
  worker_core& here = *this_worker();
  for (std::size_t i = given_; i != failures_.size(); ++i) {
    if (failures_[i].error() != nullptr) {
      report_from(here.scope, here, error_origin::suppressed, failures_[i]);
    }
  }
  given_ = failures_.size();
}

task<bool> arrivals::wait() {
  {
    const std::lock_guard lock(mutex_);
    if (given_ == total_) {
      co_return false;
    }
  }
  if (!timeout_) {
    co_await wait_operation<source>(source(*this));
    co_return true;
  }
  bool arrived = co_await move_on_at(due_, wait_operation<source>(source(*this)));
  if (!arrived && !source(*this).ready()) {
    cancel_with(reason_access::immortal(cancel_kind::deadline));
    co_await await_children();
    const auto failure =
        std::find_if(failures_.begin() + static_cast<std::ptrdiff_t>(given_), failures_.end(),
                     [](const error_entry& each) { return each.error() != nullptr; });
    if (failure != failures_.end()) {
      const error_entry first = std::exchange(*failure, {});
      co_await abort(first, reason_access::none());
    }
    throw timeout_error(*timeout_);
  }
  co_return true;
}

std::size_t arrivals::take() noexcept {
  const std::lock_guard lock(mutex_);
  return arrived_[given_++];
}

std::size_t arrivals::remaining() const noexcept {
  const std::lock_guard lock(mutex_);
  return total_ - given_;
}

void arrivals::limit_to(duration timeout) {
  timeout_ = std::max(timeout, duration::zero());
  due_ = time_in(timeout);
}

task<> arrivals::await_children() {
  const auto all = [this]() -> task<> { co_await all_ended_.wait("as_completed's rest"); };
  co_await shield(all);
}

task<> arrivals::abort(error_entry failure, cancel_reason reason) {
  cancel_with(reason_access::immortal(cancel_kind::sibling_failed));
  co_await await_children();
  if (failure.error() == nullptr) {
    throw task_cancelled(std::move(reason));
  }
  std::vector<error_entry> later;
  for (std::size_t i = given_; i != failures_.size(); ++i) {
    if (failures_[i].error() != nullptr) {
      later.push_back(failures_[i]);
    }
  }
  outcome_cell* const task = this_worker()->scope->task();
  if (task != nullptr && !later.empty()) {
    task->remember(
        make_entry(failure.error(), task_id::none, {}, {}, std::nullopt, std::move(later), {}));
  }
  std::rethrow_exception(failure.error());
}

void arrivals::cancel_rest(const cancel_reason& reason) noexcept {
  cancel_with(reason);
}

void arrivals::cancel_with(const cancel_reason& reason) noexcept {
  scope_handle scope;
  {
    const std::lock_guard lock(mutex_);
    if (!scope_) {
      wanted_ = reason;
      return;
    }
    scope = scope_;
  }
  scope.cancel(reason);
}

}  // namespace coppice::inline v0::detail
