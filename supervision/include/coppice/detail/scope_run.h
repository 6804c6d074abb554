// A body that runs in a scope of its own, and its host, which goes on when everything in the scope has ended.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/detail/await_suspend.h>
#include <coppice/detail/body.h>
#include <coppice/detail/export.h>
#include <coppice/detail/promise_base.h>
#include <coppice/detail/result_slot.h>
#include <coppice/detail/scope_core.h>
#include <coppice/detail/worker_core.h>

#include <concepts>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT scope_run : public receiver, public scope_joiner {
 public:
  scope_run& operator=(const scope_run&) = delete;

  scope_core& core() const noexcept { return *core_.get(); }

  // Behind the end: did the scope absorb its own request, so that there is no value?
  bool absorbed() const noexcept { return stopped_; }

  // Under which the host stands.
  cancel_node& outside() const noexcept { return *host_->scope(); }

  // The body's failure is about to be thrown: what is known of it besides is remembered for the task.
  std::exception_ptr take_failure() noexcept;

 protected:
  scope_run() noexcept = default;
  scope_run(scope_run&&) noexcept {}  // Before the await.
  ~scope_run() = default;

  // The scope, made just now, for a body that is about to begin.
  void open(promise_base& host, core_ref core) noexcept;

  // Runs the body, whose coroutine goes to `result`; null if making it has failed, which is in the result then.
  std::coroutine_handle<> run_body(promise_base* body, void* place, worker_core& here) noexcept;

 private:
  virtual failure_slot& body_result() noexcept = 0;

  // The body has failed: what that means for those beside it.
  virtual void body_failed() noexcept {}

  // Is there a failure that the host has to throw?
  virtual bool failed() noexcept { return body_result().failed(); }

  std::coroutine_handle<> completed(worker_core& here) noexcept final;
  std::coroutine_handle<> stopped(worker_core& here) noexcept final;
  std::coroutine_handle<> finish(worker_core& here) noexcept;

  promise_base* host_ = nullptr;  // open().
  core_ref core_;                 // open().
  bool stopped_ = false;          // The body.
};

// `Policy` says what scope it is, and what the host is given:
//   core_ref make(worker_core&)                      the scope
//   auto& face(scope_core&)                          how the body sees it
//   void body_failed(scope_core&, exception_ptr)     what that means for those beside it
//   bool failed(scope_core&, const failure_slot&)    is there a failure to be thrown?
//   result<T> finish<T>(scope_run&, result_slot<T>&) what the host is given, behind the end
template <class T, class Policy, class Body>
class [[nodiscard]] scope_operation : public own_awaitable, scope_run {
 public:
  using value_type = typename Policy::template result<T>;

  scope_operation(Policy policy, Body&& body)
      : policy_(std::move(policy)), body_(static_cast<Body&&>(body)) {
    result_.reset();
  }
  scope_operation(scope_operation&& other) noexcept(
      std::is_nothrow_move_constructible_v<kept_body<Body>>)
      : scope_run(std::move(other)),
        policy_(std::move(other.policy_)),
        body_(std::move(other.body_)) {
    result_.reset();
  }
  ~scope_operation() { result_.clear(); }

  bool await_ready() const noexcept { return false; }

  template <std::derived_from<promise_base> Promise>
  COPPICE_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
      std::coroutine_handle<Promise> awaiting) {
    worker_core& here = *current_worker;
    open(awaiting.promise(), policy_.make(here));
    promise_base* body = nullptr;
    cancel_node* const outside = std::exchange(here.scope, &core().node());
    try {
      task<T> made = start_body<T, Body>(body_.get(), policy_.face(core()));
      body = &task_access::release(made);
    } catch (...) {
      result_.fail(std::current_exception());
    }
    here.scope = outside;
    return run_body(body, result_.place_of_value(), here);
  }

  value_type await_resume() {
    return policy_.template finish<T>(static_cast<scope_run&>(*this), result_);
  }

 private:
  failure_slot& body_result() noexcept override { return result_; }
  void body_failed() noexcept override { policy_.body_failed(core(), result_.failure()); }
  bool failed() noexcept override { return policy_.failed(core(), result_); }

  [[no_unique_address]] Policy policy_;
  kept_body<Body> body_;
  result_slot<T> result_;
};

}  // namespace coppice::inline v0::detail
