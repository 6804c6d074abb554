// How a task ended: a value, a failure, or cancelled.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/thrown.h>
#include <coppice/error.h>

#include <cstddef>
#include <exception>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace coppice::inline v0 {

enum class task_status { pending, running, suspended, completed, failed, cancelled };

// The enumerator's name.
COPPICE_EXPORT std::string_view to_string(task_status status) noexcept;

class error_entry;

namespace detail {

class error_record;
struct entry_access;

template <class T>
using const_ref =
    std::conditional_t<std::is_void_v<T>, void, std::add_lvalue_reference_t<std::add_const_t<T>>>;

}  // namespace detail

// One failure and what is known about it. Immutable, shared; copying counts a reference and throws
// nothing. What it returns views of lives as long as any copy of it.
class error_entry {
 public:
  error_entry() noexcept = default;  // Empty: error() is null.

  // Of the failure alone. Allocates nothing.
  explicit error_entry(std::exception_ptr error) noexcept : error_(std::move(error)) {}

  error_entry(const error_entry& other) noexcept : error_(other.error_), record_(other.record_) {
    if (record_ != nullptr) {
      keep(record_);
    }
  }

  error_entry(error_entry&& other) noexcept
      : error_(std::move(other.error_)), record_(std::exchange(other.record_, nullptr)) {}

  error_entry& operator=(error_entry other) noexcept {
    std::swap(error_, other.error_);
    std::swap(record_, other.record_);
    return *this;
  }

  ~error_entry() {
    if (record_ != nullptr) {
      drop(record_);
    }
  }

  std::exception_ptr error() const noexcept { return error_; }

  // The task that failed, its name, and where it was spawned; none and empty if it was no task.
  COPPICE_EXPORT task_id id() const noexcept;
  COPPICE_EXPORT std::string_view name() const noexcept;
  COPPICE_EXPORT source_site site() const noexcept;

  // It was being cancelled, for this reason, when it failed; or null.
  COPPICE_EXPORT const cancel_reason* context() const noexcept;

  // Failures of its own cleanup, and those that lost to it, in the order they came.
  COPPICE_EXPORT std::span<const error_entry> suppressed() const noexcept;

  COPPICE_EXPORT std::span<const std::string> notes() const noexcept;

  // The exception's dynamic type, without a throw; null for an empty entry.
  const std::type_info* type() const noexcept { return detail::thrown_type(error_); }

  // what(), or the type's name if the exception has no text; nothing for an empty entry.
  std::string message() const { return detail::thrown_message(error_); }

  // The exception as E, without a throw; null if catch (const E&) would not take it. Valid while
  // the exception lives; of a pointer type E that the thrown pointer must be converted to, see
  // detail::thrown_as.
  template <class E>
  const E* get_if() const noexcept {
    return detail::thrown_as<E>(error_);
  }

 private:
  friend struct detail::entry_access;

  COPPICE_EXPORT static void keep(const detail::error_record* record) noexcept;
  COPPICE_EXPORT static void drop(const detail::error_record* record) noexcept;

  std::exception_ptr error_;
  const detail::error_record* record_ =
      nullptr;  // One reference is ours. Null: nothing else is known.
};

namespace detail {

// An entry with all that is known. If there is no memory for that it is the bare failure, which
// costs none, and `suppressed` and `notes` are left untouched: what they hold can then still be
// reported by itself.
COPPICE_EXPORT error_entry make_entry(std::exception_ptr error, task_id id, std::string_view name,
                                      source_site site, std::optional<cancel_reason> context,
                                      std::vector<error_entry>&& suppressed,
                                      std::vector<std::string>&& notes) noexcept;

// The entry with one more suppressed failure, or note; without memory, false, and it is as before.
COPPICE_EXPORT bool add_suppressed(error_entry& entry, const error_entry& suppressed) noexcept;
COPPICE_EXPORT bool add_note(error_entry& entry, std::string_view note) noexcept;

// An empty one that lives for ever.
COPPICE_EXPORT const error_entry& empty_entry() noexcept;

// Throws the entry's failure; usage_error if it is empty.
[[noreturn]] COPPICE_EXPORT void throw_failure(const error_entry& entry);

[[noreturn]] COPPICE_EXPORT void throw_cancelled(const cancel_reason& reason);

COPPICE_EXPORT std::ostream& print_outcome(std::ostream& out, task_status status,
                                           const error_entry& entry, const cancel_reason& reason);

// What an outcome<T> keeps for a value.
template <class T>
struct stored_value {
  using type = std::remove_const_t<T>;
};
template <class T>
struct stored_value<T&> {
  using type = T*;
};
template <class T>
  requires std::is_void_v<T>
struct stored_value<T> {
  using type = std::nullptr_t;
};

struct failed_tag {};
struct cancelled_tag {};

}  // namespace detail

// The end of a task or of an awaited thing: completed with a T, failed, or cancelled, and never
// anything else. T may be void, a reference, move-only, or without a default constructor; an
// outcome can be copied, and moved without exceptions, if T can. Immutable once visible; may then
// be read from any thread.
template <class T = void>
class outcome {
  static_assert(!std::is_rvalue_reference_v<T>,
                "coppice: an outcome cannot keep an rvalue reference");

  using stored = typename detail::stored_value<T>::type;
  static constexpr bool moves_quietly = std::is_nothrow_move_constructible_v<stored>;

 public:
  using value_type = T;

  // Completed.
  outcome(std::conditional_t<std::is_void_v<T>, std::nullptr_t, T> value) noexcept(
      moves_quietly || std::is_reference_v<T>)
      : status_(task_status::completed) {
    if constexpr (std::is_reference_v<T>) {
      std::construct_at(&value_, std::addressof(value));
    } else {
      std::construct_at(&value_, std::move(value));
    }
  }

  // Completed, with a value made in place.
  template <class... Args>
    requires(!std::is_reference_v<T> && std::is_constructible_v<stored, Args...>)
  explicit outcome(std::in_place_t, Args&&... args) : status_(task_status::completed) {
    std::construct_at(&value_, std::forward<Args>(args)...);
  }

  // The same as the two functions below, for containers that construct in place.
  outcome(detail::failed_tag, error_entry entry) noexcept
      : entry_(std::move(entry)), status_(task_status::failed) {}
  outcome(detail::cancelled_tag, cancel_reason reason) noexcept
      : reason_(std::move(reason)), status_(task_status::cancelled) {}

  static outcome failed_with(error_entry entry) noexcept {
    return outcome(detail::failed_tag(), std::move(entry));
  }

  static outcome cancelled_with(cancel_reason reason) noexcept {
    return outcome(detail::cancelled_tag(), std::move(reason));
  }

  outcome(const outcome& other)
    requires std::is_copy_constructible_v<stored>
      : status_(other.status_) {
    switch (other.status_) {
      case task_status::failed:
        std::construct_at(&entry_, other.entry_);
        break;
      case task_status::cancelled:
        std::construct_at(&reason_, other.reason_);
        break;
      default:
        std::construct_at(&value_, other.value_);
    }
  }

  // A moved-from outcome keeps its status.
  outcome(outcome&& other) noexcept(moves_quietly) { take(std::move(other)); }

  outcome& operator=(const outcome& other)
    requires std::is_copy_constructible_v<stored>
  {
    *this = outcome(other);
    return *this;
  }

  // If moving a T throws, the outcome is left as cancelled, for no reason.
  outcome& operator=(outcome&& other) noexcept(moves_quietly) {
    if (this == &other) {
      return *this;
    }
    destroy();
    if constexpr (moves_quietly) {
      take(std::move(other));
    } else {
      try {
        take(std::move(other));
      } catch (...) {
        std::construct_at(&reason_, detail::reason_access::none());
        status_ = task_status::cancelled;
        throw;
      }
    }
    return *this;
  }

  ~outcome() { destroy(); }

  task_status status() const noexcept { return status_; }  // Completed, failed or cancelled.
  bool completed() const noexcept { return status_ == task_status::completed; }
  bool failed() const noexcept { return status_ == task_status::failed; }
  bool cancelled() const noexcept { return status_ == task_status::cancelled; }
  explicit operator bool() const noexcept { return completed(); }

  // The value; else throws the failure, or task_cancelled(reason).
  detail::const_ref<T> get() const& {
    require_value();
    if constexpr (std::is_reference_v<T>) {
      return *value_;
    } else if constexpr (!std::is_void_v<T>) {
      return value_;
    }
  }

  // The same, moved out.
  T get() && {
    require_value();
    if constexpr (std::is_reference_v<T>) {
      return *value_;
    } else if constexpr (!std::is_void_v<T>) {
      return std::move(value_);
    }
  }

  // Null unless failed.
  std::exception_ptr error() const noexcept { return failed() ? entry_.error() : nullptr; }

  // Empty unless failed.
  const error_entry& entry() const noexcept { return failed() ? entry_ : detail::empty_entry(); }

  // Meaningful if cancelled.
  cancel_reason reason() const noexcept {
    return cancelled() ? reason_ : detail::reason_access::none();
  }

  // The value if completed, else `other` made a T.
  template <class U>
  T value_or(U&& other) const&
    requires(!std::is_void_v<T>)
  {
    if (completed()) {
      return get();
    }
    return static_cast<T>(std::forward<U>(other));
  }

 template <class U>
     T value_or(U&& other) &&
     requires(!std::is_void_v<T>) {
       if (completed()) {
         return std::move(*this).get();
       }
       return static_cast<T>(std::forward<U>(other));
     }

     private :
     // Into an outcome that holds nothing.
     void take(outcome&& other) noexcept(moves_quietly) {
    switch (other.status_) {
      case task_status::failed:
        std::construct_at(&entry_, std::move(other.entry_));
        break;
      case task_status::cancelled:
        std::construct_at(&reason_, std::move(other.reason_));
        break;
      default:
        std::construct_at(&value_, std::move(other.value_));
    }
    status_ = other.status_;
  }

  void destroy() noexcept {
    switch (status_) {
      case task_status::failed:
        std::destroy_at(&entry_);
        break;
      case task_status::cancelled:
        std::destroy_at(&reason_);
        break;
      default:
        std::destroy_at(&value_);
    }
  }

  void require_value() const {
    if (failed()) {
      detail::throw_failure(entry_);
    }
    if (cancelled()) {
      detail::throw_cancelled(reason_);
    }
  }

  union {
    stored value_;          // If completed.
    error_entry entry_;     // If failed.
    cancel_reason reason_;  // If cancelled.
  };
  task_status status_;
};

// "completed", "failed: what()", or "cancelled: deadline: too slow".
template <class T>
std::ostream& operator<<(std::ostream& out, const outcome<T>& end) {
  return detail::print_outcome(out, end.status(), end.entry(), end.reason());
}

}  // namespace coppice::inline v0
