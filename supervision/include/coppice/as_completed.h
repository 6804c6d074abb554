// Results as they come.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/arrivals.h>
#include <coppice/detail/fork_join.h>
#include <coppice/detail/joining.h>
#include <coppice/gather.h>
#include <coppice/scope.h>
#include <coppice/shield.h>
#include <coppice/task.h>

#include <cstddef>
#include <optional>
#include <ranges>
#include <utility>

namespace coppice::inline v0 {

// An outcome and its place in the range.
template <class T>
struct finished : outcome<T> {
  finished(outcome<T> end, std::size_t place) : outcome<T>(std::move(end)), index(place) {}

  std::size_t index;
};

// Given to the body; used by it alone, one next() at a time.
template <class T>
class completions {
 public:
  completions(const completions&) = delete;
  completions& operator=(const completions&) = delete;

  // The next outcome in order of completion; empty when all have been given. In as_completed_or_abort it never holds a
  // failure: the rest are cancelled and awaited, then the failure, task_cancelled or timeout_error is thrown here.
  task<std::optional<finished<T>>> next() {
    const bool arrived = co_await arrivals_.wait();
    if (!arrived) {
      co_return std::nullopt;
    }
    const std::size_t i = arrivals_.take();
    finished<T> end(std::move(*ends_[i]), i);
    if (end.cancelled()) {  // Perhaps by what asks the caller to stop as well, and came here first.
      co_await detail::stop_point(detail::asks::behind_a_stop);
    }
    if (arrivals_.aborts() && !end.completed()) {
      co_await arrivals_.abort(end.entry(), end.reason());
    }
    co_return end;
  }

  // Those that next() has not given.
  std::size_t remaining() const noexcept { return arrivals_.remaining(); }

  // The rest end as cancelled, and are given as such.
  void cancel_rest(const cancel_reason& reason = {}) noexcept { arrivals_.cancel_rest(reason); }

 protected:
  completions(std::size_t n, bool abort) : arrivals_(n, abort), ends_(n) {}
  ~completions() = default;

  detail::arrivals arrivals_;

 private:
  template <class, class, bool>
  friend class detail::completion_run;

  std::vector<std::optional<outcome<T>>> ends_;  // Each child its own, before it arrives.
};

namespace detail {

template <class R, class Body, bool Abort>
class completion_run final : public completions<range_value<R>> {
  using T = range_value<R>;
  using result = body_value_t<Body, completions<T>&>;

 public:
  completion_run(std::vector<task<T>> children, Body& body)
      : completions<T>(children.size(), Abort), children_(std::move(children)), body_(body) {}

  task<result> run(std::optional<limit> at_once, std::optional<duration> timeout) {
    if (timeout) {
      this->arrivals_.limit_to(*timeout);
    }
    auto [all, given] = co_await fork_join(run_children(at_once), run_body());
    static_cast<void>(all);
    if constexpr (!std::is_void_v<result>) {
      co_return std::move(given);
    }
  }

 private:
  // Once the body has ended nobody wants the rest.
  task<result> run_body() {
    const struct at_end {
      arrivals& all;
      ~at_end() { all.end_of_body(); }
    } telling{this->arrivals_};
    completions<T>& mine = *this;
    co_return co_await start_body<result, Body&>(body_, mine);
  }

  task<> run_children(std::optional<limit> at_once) {
    const auto all = [&](cancel_scope& scope) -> task<> {
      this->arrivals_.begin(scope);
      const auto child = [this](std::size_t i) { return run_child(i); };
      if (at_once && at_once->n < children_.size()) {
        std::size_t begun = 0;
        std::mutex mutex;
        const auto lane = [&](std::size_t) -> task<> {
          for (;;) {
            std::size_t mine = 0;
            {
              const std::lock_guard lock(mutex);
              mine = begun++;
            }
            if (mine >= children_.size()) {
              co_return;
            }
            co_await run_child(mine);
          }
        };
        co_await fork_join_n(at_once->n, lane);
      } else {
        co_await fork_join_n(children_.size(), child);
      }
    };
    co_await with_scope({.site = {}}, all);
    this->arrivals_.end_of_children();
  }

  task<> run_child(std::size_t i) {
    outcome<T> end = co_await as_result(std::move(children_[i]));
    this->ends_[i].emplace(settled_outcome<element<R>>(std::move(end)));
    this->arrivals_.arrive(i, this->ends_[i]->entry());
  }

  std::vector<task<T>> children_;
  Body& body_;
};

template <bool Abort, class R, class Body>
task<body_value_t<Body, completions<range_value<R>>&>> complete_all(std::optional<limit> at_once,
                                                                    std::optional<duration> timeout,
                                                                    kept_body<R> range,
                                                                    kept_body<Body> body) {
  if (at_once) {
    require_lanes(at_once->n, "as_completed(limit, range)");
  }
  completion_run<R, std::remove_reference_t<Body>, Abort> run(children_of(range.get()), body.get());
  co_return co_await run.run(at_once, timeout);
}

template <class R, class Body>
using completed_task = guarded<task<body_value_t<Body, completions<range_value<R>>&>>, Body>;

}  // namespace detail

// Runs all, and body(completions<T>&) beside them. When the body ends, by break, return or throw, the rest are cancelled
// and awaited before control goes on; failures that nobody was given are reported. Gives the body's value.
template <awaitable_range R, class Body>
detail::completed_task<R, Body> as_completed(R&& range, Body&& body) {
  return detail::complete_all<false, R, Body>(std::nullopt, std::nullopt,
                                              detail::kept_body<R>(std::forward<R>(range)),
                                              detail::kept_body<Body>(std::forward<Body>(body)));
}

template <awaitable_range R, class Body>
detail::completed_task<R, Body> as_completed(limit at_once, R&& range, Body&& body) {
  return detail::complete_all<false, R, Body>(at_once, std::nullopt,
                                              detail::kept_body<R>(std::forward<R>(range)),
                                              detail::kept_body<Body>(std::forward<Body>(body)));
}

template <awaitable_range R, class Body>
detail::completed_task<R, Body> as_completed_or_abort(R&& range, Body&& body) {
  return detail::complete_all<true, R, Body>(std::nullopt, std::nullopt,
                                             detail::kept_body<R>(std::forward<R>(range)),
                                             detail::kept_body<Body>(std::forward<Body>(body)));
}

template <awaitable_range R, class Body>
detail::completed_task<R, Body> as_completed_or_abort(duration timeout, R&& range, Body&& body) {
  return detail::complete_all<true, R, Body>(std::nullopt, timeout,
                                             detail::kept_body<R>(std::forward<R>(range)),
                                             detail::kept_body<Body>(std::forward<Body>(body)));
}

}  // namespace coppice::inline v0
