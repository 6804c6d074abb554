// How the handlers of a coroutine are run, and what becomes of their failures.
#include <coppice/cleanup.h>

#include <coppice/error.h>
#include <coppice/report.h>
#include <coppice/sleep.h>

#include <algorithm>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace coppice::inline v0::detail {

// A handler, and the scope that it runs in. Its waits have a slot of their own: the coroutine that was stopped may
// still hold the one of the strand around it.
class exit_scope final : public scope_core {
 public:
  exit_scope(exit_kind when, duration grace, exit_scope* earlier, worker_core& here)
      : scope_core({}, {}, here.executor()),
        when_(when),
        grace_(std::max(grace, duration::zero())),
        earlier_(earlier),
        node_(*this, here.scope, epoch{0}, strand_node::apart()) {}

  cancel_node& node() noexcept override { return node_; }
  const char* kind() const noexcept override { return "cleanup"; }

  exit_kind when() const noexcept { return when_; }
  duration grace() const noexcept { return grace_; }
  exit_scope* earlier() const noexcept { return earlier_; }

  // Its coroutine, not yet started.
  promise_base& handler() const noexcept { return *handler_; }
  void keep(promise_base& handler) noexcept { handler_ = &handler; }

  // From now on. Without the memory for that there is no limit.
  void limit_to_grace() noexcept try {
    reschedule(time_in(grace_));
  } catch (const std::bad_alloc&) {
    return;
  }

  // Did it end behind its grace, or because of that?
  bool outlived_grace(bool stopped, const worker_core& here) const noexcept {
    return expired() && (stopped || here.time_now() > deadline());
  }

 private:
  void close_node(worker_core& here) noexcept override { node_.close(here); }

  const exit_kind when_;
  const duration grace_;
  exit_scope* const earlier_;
  promise_base* handler_ = nullptr;  // keep(), constant afterwards.
  scope_node<strand_node> node_;
};

namespace {

error_entry entry_under(const cancel_node& scope, std::exception_ptr error) noexcept {
  outcome_cell* const task = scope.task();
  return task != nullptr ? task->entry_for(std::move(error)) : error_entry(std::move(error));
}

// What is known of it already, and why it was being cancelled.
error_entry with_context(outcome_cell& task, std::exception_ptr error,
                         cancel_reason context) noexcept {
  const error_entry known = task.entry_for(error);
  std::vector<error_entry> suppressed;
  try {
    suppressed.assign(known.suppressed().begin(), known.suppressed().end());
  } catch (const std::bad_alloc&) {
    suppressed.clear();
  }
  return make_entry(std::move(error), task.id(), task.name(), task.site(), std::move(context),
                    std::move(suppressed), {});
}

// Says that a cleanup took too long. Without memory for it, what says so.
error_entry overdue(const cancel_node& scope, duration grace) noexcept try {
  error_entry entry = entry_under(scope, std::make_exception_ptr(timeout_error(grace)));
  static_cast<void>(add_note(entry, "a cleanup did not end within its grace"));
  return entry;
} catch (...) {
  return error_entry(std::current_exception());
}

}  // namespace

exit_handlers::exit_handlers(promise_base& host, fail_coroutine* fail) noexcept
    : host_(host), fail_(fail) {
  run = [](job& self, worker_core& here) noexcept {
    static_cast<exit_handlers&>(static_cast<scope_joiner&>(self)).go_on(here).resume();
  };
}

exit_handlers& exit_handlers::of(promise_base& coroutine, fail_coroutine* fail) {
  if (exit_hook* const there = coroutine.hook()) {
    return static_cast<exit_handlers&>(*there);
  }
  auto* const made = new exit_handlers(coroutine, fail);
  coroutine.set_hook(*made);
  return *made;
}

void exit_handlers::add(exit_kind when, duration grace, task<>&& handler, worker_core& here) {
  auto* const added = new exit_scope(when, grace, newest_, here);
  added->keep(task_access::release(handler));
  newest_ = added;
}

cancel_reason exit_handlers::tell(cancel_reason*) const noexcept {
  return host_.scope()->reason();
}

error_entry exit_handlers::tell(error_entry*) const noexcept {
  return entry_under(*host_.scope(), failure_);
}

// A stop may come within a walk.
std::coroutine_handle<> exit_handlers::body_ended(bool stopped, worker_core& here) noexcept {
  stopped_ = stopped;
  host_.scope()->describe("its cleanup");
  return stopped || !here.stack_left() ? go_on_later(here) : go_on(here);
}

std::coroutine_handle<> exit_handlers::completed(worker_core& here) noexcept {
  handler_stopped_ = false;
  if (!running_->leave_last()) {
    return std::noop_coroutine();
  }
  return here.stack_left() ? go_on(here) : go_on_later(here);
}

std::coroutine_handle<> exit_handlers::stopped(worker_core& here) noexcept {
  handler_stopped_ = true;
  return running_->leave_last() ? go_on_later(here) : std::noop_coroutine();
}

std::coroutine_handle<> exit_handlers::go_on_later(worker_core& here) noexcept {
  here.post_next(*this);
  return std::noop_coroutine();
}

std::coroutine_handle<> exit_handlers::go_on(worker_core& here) noexcept {
  here.scope = host_.scope();
  if (running_ != nullptr) {
    end(*std::exchange(running_, nullptr), here);
  }
  while (newest_ != nullptr) {
    exit_scope& following = *std::exchange(newest_, newest_->earlier());
    if (wanted(following.when())) {
      return begin(following, here);
    }
    following.handler().handle().destroy();
    following.drop();
  }
  return leave(here);
}

bool exit_handlers::wanted(exit_kind when) const noexcept {
  switch (when) {
    case exit_kind::stop:
      return stopped_;
    case exit_kind::failure:
      return failure_ != nullptr && !stopped_;
    default:
      return true;
  }
}

std::coroutine_handle<> exit_handlers::begin(exit_scope& handler, worker_core& here) noexcept {
  running_ = &handler;
  result_.reset();
  handler.join_by(*this);
  handler.limit_to_grace();
  handler.handler().continue_with(*this, &handler.node(), result_.place_of_value());
  here.scope = &handler.node();
  return handler.handler().handle();
}

void exit_handlers::end(exit_scope& handler, worker_core& here) noexcept {
  const bool outlived = handler.outlived_grace(handler_stopped_, here);
  handler.close(here);
  if (result_.failed()) {
    take_failure(result_.take_failure(), handler, here);
  } else if (outlived) {
    report_from(host_.scope(), here, error_origin::cleanup,
                overdue(*host_.scope(), handler.grace()));
  }
  handler.drop();
}

// The first stays; those behind it are kept beside it.
void exit_handlers::take_failure(std::exception_ptr error, exit_scope& of,
                                 worker_core& here) noexcept {
  cancel_node& scope = *host_.scope();
  outcome_cell* const task = scope.task();
  if (failure_ == nullptr) {
    if (task != nullptr && (stopped_ || of.requested())) {
      task->remember(with_context(*task, error, stopped_ ? scope.reason() : of.reason()));
    }
    failure_ = std::move(error);
    return;
  }
  const error_entry second = entry_under(scope, std::move(error));
  if (task != nullptr) {
    error_entry first = task->entry_for(failure_);
    static_cast<void>(add_suppressed(first, second));
    task->remember(std::move(first));
  }
  report_from(&scope, here, error_origin::cleanup, second);
}

// The body ended well, failed, or was stopped; since then a handler may have failed.
std::coroutine_handle<> exit_handlers::leave(worker_core& here) noexcept {
  promise_base& ending = host_;
  fail_coroutine* const fail = fail_;
  const bool stopping = stopped_;
  std::exception_ptr failure = std::move(failure_);
  ending.scope()->describe(nullptr);
  ending.take_hook_out();
  delete this;
  if (failure != nullptr) {
    fail(ending, std::move(failure));
  } else if (stopping) {
    return here.stop_from_loop(ending);
  }
  return promise_base::leave_suspended(ending, here);
}

}  // namespace coppice::inline v0::detail
