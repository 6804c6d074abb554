#include "executor/task_annex.h"

#include "executor/executor_core.h"

#include <coppice/spawn.h>

#include <mutex>
#include <utility>

namespace coppice::inline v0::detail {

void outcome_cell::time_limit::ring(worker_core& here) noexcept {
  const cancel_reason why(cancel_kind::deadline, {}, task_.site_);
  reason_.store(reason_access::body(why), std::memory_order_relaxed);
  task_.node_.cancel(why, here.home);
}

outcome_cell::annex* outcome_cell::first_annex(const spawn_options& options, bool debug) {
  if (!options.timeout && options.name.empty() && !debug) {
    return nullptr;
  }
  auto made = std::make_unique<annex>();
  if (options.timeout) {
    made->limit = std::make_unique<time_limit>(*this, *options.timeout);
  }
  if (debug) {
    made->spawned_by.reset(backtrace::capture());
  }
  if (!options.name.empty()) {
    made->name = std::make_unique<annex::label>(std::string(options.name), nullptr);
  }
  return made.release();
}

// Under the lock. Throws std::bad_alloc.
outcome_cell::annex& outcome_cell::make_annex() {
  annex* made = extra();
  if (made == nullptr) {
    made = new annex;
    annex_.store(made, std::memory_order_release);  // C4
  }
  return *made;
}

outcome_cell::time_limit* outcome_cell::limit() const noexcept {
  const annex* const mine = extra();
  return mine != nullptr ? mine->limit.get() : nullptr;
}

time_point outcome_cell::deadline() const noexcept {
  const time_limit* const mine = limit();
  return mine != nullptr ? mine->due() : time_point::max();
}

std::string_view outcome_cell::name() const noexcept {
  const annex* const mine = extra();
  if (mine == nullptr) {
    return {};
  }
  const std::lock_guard lock(mutex());
  return mine->name ? std::string_view(mine->name->text) : std::string_view();
}

void outcome_cell::rename(std::string_view name) {
  auto latest = std::make_unique<annex::label>(std::string(name), nullptr);
  const std::lock_guard lock(mutex());
  std::unique_ptr<const annex::label>& mine = make_annex().name;
  if (!mine || mine->text != name) {
    latest->earlier = std::move(mine);
    mine = std::move(latest);
  }
}

}  // namespace coppice::inline v0::detail
