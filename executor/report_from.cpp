// The way of a failure that nobody took to whoever wants to hear of it.
#include <coppice/detail/outcome_cell.h>

#include "executor/executor_core.h"
#include "executor/executor_state.h"

#include <coppice/detail/climb.h>
#include <coppice/report.h>

#include <exception>
#include <memory>
#include <mutex>
#include <utility>

namespace coppice::inline v0::detail {

namespace {

// Who stands above, as far as there is memory to say it.
void name_parents(error_report& report, cancel_node* from) noexcept try {
  for (cancel_node* each = from; each != nullptr; each = each->parent()) {
    std::string label = each->label();
    if (label.empty() || (each->is_task() && each->task()->id() == report.entry.id())) {
      continue;
    }
    if (report.scope.empty() && !each->is_task()) {
      report.scope = label;
    }
    report.parents.push_back(std::move(label));
  }
} catch (const std::bad_alloc&) {
  return;
}

bool heard_above(cancel_node* from, error_report& report) noexcept {
  const climb upwards;
  name_parents(report, from);
  for (cancel_node* each = from; each != nullptr; each = each->parent()) {
    try {
      if (each->hear(report)) {
        return true;
      }
    } catch (...) {
      error_entry thrown(std::current_exception());
      static_cast<void>(add_suppressed(thrown, report.entry));
      report.origin = error_origin::handler;
      report.entry = std::move(thrown);
    }
  }
  return false;
}

}  // namespace

void report_from(cancel_node* from, const worker_core& here, error_origin origin,
                 error_entry entry) noexcept {
  error_report report{origin, std::move(entry), {}, {}};
  if (!heard_above(from, report)) {
    here.home.owner.report(report);
  }
}

void executor_state::report(const error_report& report) noexcept {
  std::shared_ptr<const error_handler> handler;
  {
    const std::lock_guard lock(mutex_);
    handler = handler_;
  }
  if (!handler) {
    const on_unhandled policy = *resolved.effective.unhandled;
    if (policy != on_unhandled::silent) {
      default_error_handler(report);
    }
    if (policy == on_unhandled::terminate) {
      std::terminate();
    }
    return;
  }
  try {
    (*handler)(report);
  } catch (...) {
    default_error_handler(report);
    default_error_handler({error_origin::handler, error_entry(std::current_exception()), {}, {}});
  }
}

error_handler executor_state::set_error_handler(error_handler handler) {
  auto next = handler ? std::make_shared<const error_handler>(std::move(handler)) : nullptr;
  const std::lock_guard lock(mutex_);
  next.swap(handler_);
  return next ? *next : error_handler();
}

}  // namespace coppice::inline v0::detail
