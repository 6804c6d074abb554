#include <coppice/detail/start_gate.h>

#include <coppice/task_handle.h>

#include <string>

namespace coppice::inline v0::detail {

void start_state::require_first() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(started_, true)) {
    throw usage_error("started() was called before: a child says once that it is ready");
  }
}

bool start_state::has_started() const noexcept {
  const std::lock_guard lock(mutex_);
  return started_;
}

void start_state::failed(error_entry why) noexcept {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(why);
}

void start_state::throw_not_started(const outcome_cell& child) const {
  error_entry failure;
  {
    const std::lock_guard lock(mutex_);
    failure = failure_;
  }
  if (failure.error() != nullptr) {
    std::rethrow_exception(failure.error());
  }
  std::string name(child.name());
  if (name.empty()) {
    name = "task " + std::to_string(static_cast<std::uint64_t>(child.id()));
  }
  throw start_error(name, nullptr);
}

task<> await_end(task_ref of) {
  co_await wait_operation<end_source>(end_source(std::move(of)));
}

}  // namespace coppice::inline v0::detail
