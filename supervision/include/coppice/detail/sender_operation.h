// What senders are awaited by, and what makes tasks senders (coppice/senders.h).
//
// Orderings
//   SO1  The end of the task, and of start(), take themselves off the count: who comes last sees what the other wrote, and completes.
#pragma once

#include <coppice/awaiter.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/job.h>
#include <coppice/executor.h>
#include <coppice/outcome.h>
#include <coppice/scope.h>
#include <coppice/site.h>
#include <coppice/task.h>
#include <coppice/task_handle.h>

#include <version>

#if defined(__cpp_lib_senders)
#include <execution>
#include <stop_token>
#elif __has_include(<stdexec/execution.hpp>)
#include <stdexec/execution.hpp>
#else
#error \
    "coppice/senders.h needs std::execution, or stdexec (github.com/NVIDIA/stdexec) on the include path"
#endif

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

#if defined(__cpp_lib_senders)
namespace senders = std::execution;
namespace stops = std;
#else
namespace senders = stdexec;
namespace stops = stdexec;
#endif

// ---- A sender in a task -------------------------------------------------------------------------

struct asked_env {
  const stops::inplace_stop_source* stop;
  stops::inplace_stop_token query(stops::get_stop_token_t) const noexcept {
    return stop->get_token();
  }
};

// What the await gives for what a sender sends.
template <class... Values>
struct sent {
  using type = std::tuple<std::decay_t<Values>...>;
};
template <>
struct sent<> {
  using type = void;
};
template <class Value>
struct sent<Value> {
  using type = std::decay_t<Value>;
};
template <class... Values>
using sent_t = typename sent<Values...>::type;

// One way to complete with values, or none.
template <class... Ways>
struct the_way {
  static_assert(sizeof...(Ways) < 2,
                "coppice: the sender completes with values of different kinds; make one of them, "
                "with into_variant for example");
};
template <>
struct the_way<> {
  using type = void;
};
template <class Way>
struct the_way<Way> {
  using type = Way;
};
template <class... Ways>
using the_way_t = typename the_way<Ways...>::type;

template <class Error>
std::exception_ptr as_exception(Error&& error) noexcept {
  if constexpr (std::same_as<std::decay_t<Error>, std::exception_ptr>) {
    return std::forward<Error>(error);
  } else if constexpr (std::same_as<std::decay_t<Error>, std::error_code>) {
    return std::make_exception_ptr(std::system_error(error));
  } else {
    return std::make_exception_ptr(std::forward<Error>(error));
  }
}

template <class Sender>
class sender_operation {
 public:
  using value_type = senders::value_types_of_t<Sender, asked_env, sent_t, the_way_t>;
  static constexpr const char* wait_name = "sender";

  explicit sender_operation(Sender sender) : sender_(std::move(sender)) {}
  sender_operation(sender_operation&& unstarted) noexcept(
      std::is_nothrow_move_constructible_v<Sender>)
      : sender_(std::move(unstarted.sender_)) {}

  void start(completion<value_type> done) {
    begun_.emplace(std::move(sender_), std::move(done));
    senders::start(begun_->operation);
  }

  void cancel() noexcept { begun_->stop.request_stop(); }

 private:
  struct begun;

  // Each call is the last: whoever hears of it may destroy the operation.
  struct receiver {
    using receiver_concept = senders::receiver_t;

    template <class... Values>
    void set_value(Values&&... values) && noexcept {
      const completion<value_type> done = std::move(of->done);
      if constexpr (sizeof...(Values) == 0) {
        done.complete();
      } else {
        try {
          done.complete(value_type(std::forward<Values>(values)...));
        } catch (...) {
          done.fail(std::current_exception());
        }
      }
    }

    template <class Error>
    void set_error(Error&& error) && noexcept {
      const completion<value_type> done = std::move(of->done);
      done.fail(as_exception(std::forward<Error>(error)));
    }

    void set_stopped() && noexcept {
      const bool asked = of->stop.stop_requested();
      const completion<value_type> done = std::move(of->done);
      if (asked) {
        done.stopped();
      } else {
        done.fail(std::make_exception_ptr(
            operation_cancelled(cancel_reason("a sender was stopped", {}))));
      }
    }

    asked_env get_env() const noexcept { return {&of->stop}; }

    begun* of;
  };

  struct begun {
    begun(Sender&& sender, completion<value_type> to_complete)
        : done(std::move(to_complete)),
          operation(senders::connect(std::move(sender), receiver{this})) {}

    stops::inplace_stop_source stop;
    completion<value_type> done;
    senders::connect_result_t<Sender, receiver> operation;
  };

  Sender sender_;
  std::optional<begun> begun_;
};

// ---- A task as a sender -------------------------------------------------------------------------

template <class Body>
using sent_by_t = typename std::invoke_result_t<Body&>::value_type;

template <class T>
struct task_completions {
  using type = senders::completion_signatures<
      senders::set_value_t(T), senders::set_error_t(std::exception_ptr), senders::set_stopped_t()>;
};
template <>
struct task_completions<void> {
  using type = senders::completion_signatures<
      senders::set_value_t(), senders::set_error_t(std::exception_ptr), senders::set_stopped_t()>;
};

// The outcome, for whoever comes last: the task's end, or the end of start().
template <class T>
struct watched_end {
  std::optional<outcome<T>> seen;  // The task; none if it never ran.
};

template <class T, class Body>
task<> run_watched(std::shared_ptr<watched_end<T>> end, Body body) {
  auto work = body();
  end->seen.emplace(co_await as_result(std::move(work)));
}

template <class Body, class Receiver>
class task_operation {
 public:
  using operation_state_concept = senders::operation_state_t;

  task_operation(scope_handle scope, Body body, Receiver receiver, const source_site& site)
      : scope_(std::move(scope)),
        body_(std::move(body)),
        receiver_(std::move(receiver)),
        site_(site) {}
  task_operation(task_operation&&) = delete;

  void start() & noexcept {
    try {
      end_ = std::make_shared<watched_end<value>>();
      task_ = scope_.spawn({.name = "sender", .site = site_},
                           run_watched<value, Body>(end_, std::move(body_)));
    } catch (...) {
      senders::set_error(std::move(receiver_), std::current_exception());
      return;
    }
    try {
      task_.on_done([this] { arrive(); });
    } catch (...) {
      // What it still does concerns nobody: its end is its own.
      task_.cancel();
      senders::set_error(std::move(receiver_), std::current_exception());
      return;
    }
    stop_.emplace(stops::get_stop_token(senders::get_env(receiver_)), ask_to_stop{&task_});
    arrive();
  }

 private:
  using value = sent_by_t<Body>;

  struct ask_to_stop {
    const task_handle<>* task;
    void operator()() const noexcept { task->cancel(); }
  };
  using stop_callback =
      stops::stop_callback_for_t<stops::stop_token_of_t<senders::env_of_t<Receiver>>, ask_to_stop>;

  void arrive() noexcept {
    if (to_come_.fetch_sub(1, std::memory_order_acq_rel) == 1) {  // SO1
      complete();
    }
  }

  void complete() noexcept {
    stop_.reset();
    const std::shared_ptr<watched_end<value>> end = std::move(end_);
    Receiver receiver = std::move(receiver_);
    if (!end->seen || end->seen->cancelled()) {
      senders::set_stopped(std::move(receiver));
    } else if (end->seen->failed()) {
      senders::set_error(std::move(receiver), end->seen->error());
    } else if constexpr (std::is_void_v<value>) {
      senders::set_value(std::move(receiver));
    } else {
      senders::set_value(std::move(receiver), std::move(*end->seen).get());
    }
  }

  scope_handle scope_;
  Body body_;
  Receiver receiver_;
  const source_site site_;
  std::shared_ptr<watched_end<value>> end_;
  task_handle<> task_;
  std::optional<stop_callback> stop_;
  atomic<int> to_come_{2};  // The task, and start().
};

template <class Body>
class task_sender {
 public:
  using sender_concept = senders::sender_t;
  using completion_signatures = typename task_completions<sent_by_t<Body>>::type;

  task_sender(scope_handle scope, Body body, const source_site& site)
      : scope_(std::move(scope)), body_(std::move(body)), site_(site) {}

  template <class Receiver>
  task_operation<Body, Receiver> connect(Receiver receiver) && {
    return {std::move(scope_), std::move(body_), std::move(receiver), site_};
  }
  template <class Receiver>
    requires std::copy_constructible<Body>
  task_operation<Body, Receiver> connect(Receiver receiver) const& {
    return {scope_, body_, std::move(receiver), site_};
  }

 private:
  scope_handle scope_;
  Body body_;
  source_site site_;
};

// ---- A scheduler --------------------------------------------------------------------------------

template <class Receiver>
class arrival_operation : job {
 public:
  using operation_state_concept = senders::operation_state_t;

  arrival_operation(executor& on, Receiver receiver)
      : job{nullptr, &arrived}, on_(on), receiver_(std::move(receiver)) {}
  arrival_operation(arrival_operation&&) = delete;

  void start() & noexcept { on_.post(*this); }

 private:
  static void arrived(job& self, worker_core&) noexcept {
    Receiver receiver = std::move(static_cast<arrival_operation&>(self).receiver_);
    if (stops::get_stop_token(senders::get_env(receiver)).stop_requested()) {
      senders::set_stopped(std::move(receiver));
    } else {
      senders::set_value(std::move(receiver));
    }
  }

  executor& on_;
  Receiver receiver_;
};

}  // namespace coppice::inline v0::detail
