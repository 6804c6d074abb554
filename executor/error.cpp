// The texts of the library's exceptions, and the list of fatal types.
//
// Orderings
//   FE1  register_fatal_error() publishes an entry of the list, is_fatal() acquires the list: it
//        sees every entry whole.
#include <coppice/error.h>

#include <coppice/detail/atomic.h>
#include <coppice/detail/thrown.h>

#include <cstdint>
#include <cstdio>
#include <new>
#include <utility>

#include "executor/wording.h"

namespace coppice::inline v0 {
namespace {

struct fatal_type {
  const std::type_info* type;
  const fatal_type* next;
};

// Registered types, newest first. Entries are never removed, nor freed at exit: failures may still
// come.
constinit detail::atomic<const fatal_type*> fatal_types{nullptr};

std::shared_ptr<const std::string> cancelled_text(const std::string& who,
                                                  const cancel_reason& reason) {
  return std::make_shared<const std::string>(who +
                                             " was cancelled: " + detail::reason_text(reason));
}

std::shared_ptr<const std::string> task_cancelled_text(const cancel_reason& reason,
                                                       task_id id) noexcept try {
  return cancelled_text(id != task_id::none ? detail::task_text(id, {}) : "the scope", reason);
} catch (...) {
  return nullptr;
}

std::shared_ptr<const std::string> operation_cancelled_text(const cancel_reason& reason) noexcept
    try {
  return cancelled_text("the operation", reason);
} catch (...) {
  return nullptr;
}

std::string start_error_text(const std::string& child, const std::exception_ptr& cause) {
  return "child " + detail::quoted(child) + " ended before it said started(): " +
         (cause ? detail::thrown_message(cause) : "it returned");
}

std::string timeout_text(std::chrono::nanoseconds limit) {
  return limit == std::chrono::nanoseconds::max()
             ? "timed out"
             : "timed out after " + detail::duration_text(limit);
}

constexpr std::string_view limit_text_begin = "supervisor \"";
constexpr std::string_view limit_text_middle = "\" gave up: child \"";

std::string limit_text(const std::string& supervisor, const std::string& child, unsigned restarts,
                       const std::exception_ptr& cause) {
  std::string text(limit_text_begin);
  text += supervisor;
  text += limit_text_middle;
  text += child + "\" was restarted too often (" + std::to_string(restarts) + " times)";
  if (cause) {
    text += ", the last time after: " + detail::thrown_message(cause);
  }
  return text;
}

}  // namespace

usage_error::~usage_error() = default;
scope_closed::~scope_closed() = default;
resource_exhausted::~resource_exhausted() = default;
fatal_error::~fatal_error() = default;

timeout_error::timeout_error(std::chrono::nanoseconds limit)
    : std::runtime_error(timeout_text(limit)), limit_(limit) {}
timeout_error::~timeout_error() = default;

task_cancelled::task_cancelled(cancel_reason reason, task_id which) noexcept
    : reason_(std::move(reason)), id_(which), what_(task_cancelled_text(reason_, which)) {}
task_cancelled::~task_cancelled() = default;

const char* task_cancelled::what() const noexcept {
  return what_ != nullptr ? what_->c_str() : "a task was cancelled";
}

operation_cancelled::operation_cancelled(cancel_reason reason) noexcept
    : reason_(std::move(reason)), what_(operation_cancelled_text(reason_)) {}
operation_cancelled::~operation_cancelled() = default;

const char* operation_cancelled::what() const noexcept {
  return what_ != nullptr ? what_->c_str() : "the operation was cancelled";
}

start_error::start_error(const std::string& child, std::exception_ptr cause)
    : std::runtime_error(start_error_text(child, cause)), cause_(std::move(cause)) {}
start_error::~start_error() = default;

restart_limit_exceeded::restart_limit_exceeded(const std::string& supervisor,
                                               const std::string& child, unsigned restarts,
                                               std::exception_ptr cause)
    : std::runtime_error(limit_text(supervisor, child, restarts, cause)),
      child_at_(limit_text_begin.size() + supervisor.size() + limit_text_middle.size()),
      child_size_(child.size()),
      restarts_(restarts),
      cause_(std::move(cause)) {}
restart_limit_exceeded::~restart_limit_exceeded() = default;

bool register_fatal_error(const std::type_info& type) noexcept {
  auto* const entry = new (std::nothrow) fatal_type{.type = &type, .next = nullptr};
  if (entry == nullptr) {
    // Going on would let a fatal failure pass for a common one.
    std::fputs("coppice: no memory to register a fatal error type\n", stderr);
    std::terminate();
  }
  entry->next = fatal_types.load(std::memory_order_relaxed);
  while (!fatal_types.compare_exchange_weak(entry->next, entry,
                                            std::memory_order_release,  // FE1
                                            std::memory_order_relaxed)) {
  }
  return true;
}

bool is_fatal(const std::exception_ptr& error) noexcept {
  if (!error) {
    return false;
  }
  if (detail::catches(typeid(fatal_error), error)) {
    return true;
  }
  const fatal_type* entry = fatal_types.load(std::memory_order_acquire);  // FE1
  while (entry != nullptr && !detail::catches(*entry->type, error)) {
    entry = entry->next;
  }
  return entry != nullptr;
}

}  // namespace coppice::inline v0
