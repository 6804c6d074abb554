#include <coppice/detail/racing.h>

#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>
#include <coppice/exception_group.h>
#include <coppice/shield.h>

#include <string>
#include <utility>

namespace coppice::inline v0::detail {

race_state::race_state(bool success, std::size_t racers) : success_(success) {
  errors_.reserve(racers);
  errors_late_.reserve(racers);
}

void race_state::begin(scope_handle scope) {
  scope_ = std::move(scope);
}

bool race_state::ended(std::size_t i, racer_end how, const error_entry& failure,
                       const cancel_reason& why) {
  bool wins = false;
  bool late = false;
  {
    const std::lock_guard lock(mutex_);
    switch (how) {
      case racer_end::value:
        if (!decided_) {
          wins = true;
          decided_ = true;
          winner_ = i;
        }
        break;
      case racer_end::failure:
        if (decided_) {
          late = true;
        } else if (success_) {
          errors_.push_back(failure);
        } else {
          decided_ = true;
          deciding_ = failure;
        }
        break;
      case racer_end::cancelled:
        cancelled_ = why;
        break;
      case racer_end::stopped:
        stopped_ = true;
    }
    if (late) {
      errors_late_.push_back(failure);
    }
  }
  if (wins || (how == racer_end::failure && !success_ && !late)) {
    scope_.cancel(reason_access::immortal(cancel_kind::sibling_failed));
  }
  return wins;
}

void race_state::throw_end() {
  worker_core& here = *this_worker();
  outcome_cell* const task = here.scope->task();
  for (const error_entry& each : errors_late_) {
    report_from(here.scope, here, error_origin::suppressed, each);
  }
  if (winner_) {
    return;
  }
  if (decided_) {
    if (task != nullptr && !errors_late_.empty()) {
      task->remember(make_entry(deciding_.error(), task_id::none, {}, {}, std::nullopt,
                                std::move(errors_late_), {}));
    }
    std::rethrow_exception(deciding_.error());
  }
  if (!errors_.empty()) {
    if (stopped_) {
      for (const error_entry& each : errors_) {
        report_from(here.scope, here, error_origin::suppressed, each);
      }
      return;
    }
    throw exception_group("every racer failed", std::move(errors_));
  }
  if (!stopped_ && cancelled_) {
    throw task_cancelled(*cancelled_);
  }
}

task<> race_end(race_state& race) {
  race.throw_end();
  if (!race.won()) {
    co_await stop();
  }
}

void require_racers(std::size_t n, const char* call) {
  if (n == 0) {
    throw usage_error(std::string(call) + " of an empty range: nobody could win");
  }
}

}  // namespace coppice::inline v0::detail
