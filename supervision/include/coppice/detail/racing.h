// Who has won a race, and what the others left.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/outcome.h>
#include <coppice/scope.h>
#include <coppice/task.h>

#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

namespace coppice::inline v0::detail {

enum class racer_end { value, failure, cancelled, stopped };

// A racer that awaited a handle whose task was cancelled has not failed.
template <class T>
racer_end status_in_race(const outcome<T>& end) noexcept {
  return end.completed()                                            ? racer_end::value
         : end.cancelled()                                          ? racer_end::stopped
         : end.entry().template get_if<task_cancelled>() != nullptr ? racer_end::cancelled
                                                                    : racer_end::failure;
}

template <class T>
cancel_reason reason_in_race(const outcome<T>& end) noexcept {
  const auto* const cancelled = end.entry().template get_if<task_cancelled>();
  return cancelled != nullptr ? cancelled->reason() : end.reason();
}

class COPPICE_EXPORT race_state {
 public:
  // `success`: a failure decides nothing.
  race_state(bool success, std::size_t racers);
  race_state(const race_state&) = delete;
  race_state& operator=(const race_state&) = delete;

  // Whose cancel ends the others.
  void begin(scope_handle scope);

  // A racer has ended. True: it has won, with a value, and its value is wanted.
  bool ended(std::size_t i, racer_end how, const error_entry& failure, const cancel_reason& why);

  // Behind the end of all. Null: somebody has won with a value.
  bool won() const noexcept { return winner_.has_value(); }
  std::size_t winner() const noexcept { return *winner_; }
  std::vector<error_entry> take_errors() noexcept { return std::move(errors_); }

  // Nobody has: throws the failure that decided, or those of all, or task_cancelled; or returns, if the racers were
  // stopped from above.
  void throw_end();

 private:
  void decide_fatally(const error_entry& failure) noexcept;

  const bool success_;
  scope_handle scope_;
  std::mutex mutex_;
  std::optional<std::size_t> winner_;  // Under the lock, and all here.
  bool decided_ = false;
  bool fatal_ = false;
  bool stopped_ = false;
  error_entry deciding_;
  std::vector<error_entry> errors_;       // Room for all was taken at the beginning.
  std::vector<error_entry> errors_late_;  // The same: behind the decision.
  std::optional<cancel_reason> cancelled_;
};

// Goes on behind a race that somebody has won; else throws or stops.
COPPICE_EXPORT task<> race_end(race_state& race);

COPPICE_EXPORT void require_racers(std::size_t n, const char* call);

}  // namespace coppice::inline v0::detail
