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
  bool ends_race = false;
  {
    const std::lock_guard lock(mutex_);
    switch (how) {
      case racer_end::value:
        if (!decided_) {
          wins = ends_race = true;
          decided_ = true;
          winner_ = i;
        }
        break;
      case racer_end::failure:
        if (!fatal_ && is_fatal(failure.error())) {
          decide_fatally(failure);
          ends_race = true;
        } else if (decided_) {
          late = true;
        } else if (success_) {
          errors_.push_back(failure);
        } else {
          decided_ = true;
          deciding_ = failure;
          ends_race = true;
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
  if (ends_race) {
    scope_.cancel(reason_access::immortal(cancel_kind::sibling_failed));
  }
  return wins;
}

// It leaves as it is, whoever has won; what was to be thrown or given before is besides it.
void race_state::decide_fatally(const error_entry& failure) noexcept {
  if (decided_ && !winner_) {
    errors_late_.push_back(std::move(deciding_));
  }
  for (error_entry& each : errors_) {
    errors_late_.push_back(std::move(each));
  }
  errors_.clear();
  winner_.reset();
  fatal_ = decided_ = true;
  deciding_ = failure;
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
