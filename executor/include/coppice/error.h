// The exceptions the library itself throws, and the mark of a fatal one.
//
// All are exported whole and have their virtual functions in the library, so that one type stands
// for the same thing in every module of a process. Copying one throws nothing.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/export.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>

namespace coppice::inline v0 {

// The caller broke a contract; what() names the call and the cure.
struct COPPICE_EXPORT usage_error : std::logic_error {
  using std::logic_error::logic_error;
  usage_error(const usage_error&) noexcept = default;
  usage_error& operator=(const usage_error&) noexcept = default;
  ~usage_error() override;
};

// spawn into a scope that has exited.
struct COPPICE_EXPORT scope_closed : std::runtime_error {
  using std::runtime_error::runtime_error;
  scope_closed(const scope_closed&) noexcept = default;
  scope_closed& operator=(const scope_closed&) noexcept = default;
  ~scope_closed() override;
};

// A limit set by options was reached (max_tasks, max_children, the blocking pool's queue); nothing
// was started.
struct COPPICE_EXPORT resource_exhausted : std::runtime_error {
  using std::runtime_error::runtime_error;
  resource_exhausted(const resource_exhausted&) noexcept = default;
  resource_exhausted& operator=(const resource_exhausted&) noexcept = default;
  ~resource_exhausted() override;
};

// The deadline of with_timeout, with_deadline or an *_or_abort passed. Of nested ones with the same
// deadline the outermost throws. what(): "timed out after 250ms".
class COPPICE_EXPORT timeout_error : public std::runtime_error {
 public:
  explicit timeout_error(std::chrono::nanoseconds limit);
  timeout_error(const timeout_error&) noexcept = default;
  timeout_error& operator=(const timeout_error&) noexcept = default;
  ~timeout_error() override;

  std::chrono::nanoseconds limit() const noexcept { return limit_; }

 private:
  std::chrono::nanoseconds limit_;
};

// Somebody else's task, whose value was wanted, was cancelled. Never the caller's own stop, which
// throws nothing. what(): "task 12 was cancelled: deadline: too slow". Making one never fails:
// without memory what() leaves out the task and the reason, which the object has all the same.
class COPPICE_EXPORT task_cancelled : public std::exception {
 public:
  explicit task_cancelled(cancel_reason reason, task_id which = task_id::none) noexcept;
  task_cancelled(const task_cancelled&) noexcept = default;
  task_cancelled& operator=(const task_cancelled&) noexcept = default;
  ~task_cancelled() override;

  const char* what() const noexcept override;
  const cancel_reason& reason() const noexcept { return reason_; }

  // The cancelled task; none when a scope of the caller's own was stopped.
  task_id id() const noexcept { return id_; }

 private:
  cancel_reason reason_;
  task_id id_;
  std::shared_ptr<const std::string> what_;  // Null: there was no memory.
};

// A stop on its way through a coroutine type that is not ours and has no unhandled_stopped().
// Becomes a stop again in our tasks. what(): "the operation was cancelled: shutdown"; made like
// task_cancelled.
class COPPICE_EXPORT operation_cancelled : public std::exception {
 public:
  explicit operation_cancelled(cancel_reason reason) noexcept;
  operation_cancelled(const operation_cancelled&) noexcept = default;
  operation_cancelled& operator=(const operation_cancelled&) noexcept = default;
  ~operation_cancelled() override;

  const char* what() const noexcept override;
  const cancel_reason& reason() const noexcept { return reason_; }

 private:
  cancel_reason reason_;
  std::shared_ptr<const std::string> what_;  // Null: there was no memory.
};

// A child ended before it said started(); cause() is its failure, null if it merely returned.
class COPPICE_EXPORT start_error : public std::runtime_error {
 public:
  start_error(const std::string& child, std::exception_ptr cause);
  start_error(const start_error&) noexcept = default;
  start_error& operator=(const start_error&) noexcept = default;
  ~start_error() override;

  std::exception_ptr cause() const noexcept { return cause_; }

 private:
  std::exception_ptr cause_;
};

// A supervisor gave up: more than max_restarts restarts within period. cause() is the last child's
// failure.
class COPPICE_EXPORT restart_limit_exceeded : public std::runtime_error {
 public:
  restart_limit_exceeded(const std::string& supervisor, const std::string& child, unsigned restarts,
                         std::exception_ptr cause);
  restart_limit_exceeded(const restart_limit_exceeded&) noexcept = default;
  restart_limit_exceeded& operator=(const restart_limit_exceeded&) noexcept = default;
  ~restart_limit_exceeded() override;

  std::string_view child() const noexcept { return {what() + child_at_, child_size_}; }
  unsigned restarts() const noexcept { return restarts_; }
  std::exception_ptr cause() const noexcept { return cause_; }

 private:
  std::size_t child_at_;  // The child's name stands in what(), whose text every copy shares.
  std::size_t child_size_;
  unsigned restarts_;
  std::exception_ptr cause_;
};

// A fatal failure cancels every scope, supervisors too, and leaves the runtime naked. Derive from
// this ...
struct COPPICE_EXPORT fatal_error : std::runtime_error {
  using std::runtime_error::runtime_error;
  fatal_error(const fatal_error&) noexcept = default;
  fatal_error& operator=(const fatal_error&) noexcept = default;
  ~fatal_error() override;
};

// ... or, for a type that is not yours, specialise, in one source file, with the call that
// registers it:
//   template <>
//   inline const bool coppice::is_fatal_error<my_exit> =
//       coppice::register_fatal_error(typeid(my_exit));
// (The call is needed: a handler of everything sees only the dynamic type, not what was specialised
// for it.)
template <class E>
inline constexpr bool is_fatal_error = false;
template <>
inline constexpr bool is_fatal_error<fatal_error> = true;

// Makes `type`, of any kind, and all that a catch of it would take, fatal. True. Any thread; holds
// for failures raised afterwards. The module that `type` lies in must not be unloaded.
COPPICE_EXPORT bool register_fatal_error(const std::type_info& type) noexcept;

// Tests the dynamic type and its bases, without a throw. False for a null pointer.
COPPICE_EXPORT bool is_fatal(const std::exception_ptr& error) noexcept;

}  // namespace coppice::inline v0
