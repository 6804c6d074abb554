// What a failure is called in Abseil's terms, and a status as a failure.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/export.h>
#include <coppice/error.h>
#include <coppice/exception_group.h>
#include <coppice/outcome.h>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace coppice::inline v0 {

// What or_throw() throws: a status on its way through code that throws. as_status() gives it back as it was.
class COPPICE_EXPORT status_error : public std::exception {
 public:
  // Of an OK status: usage_error.
  explicit status_error(absl::Status status)
      : status_(std::move(status)), what_(std::make_shared<const std::string>(status_.ToString())) {
    if (status_.ok()) {
      throw usage_error("a status_error of an OK status: there is no failure to throw");
    }
  }

  // "NOT_FOUND: no such symbol"
  const char* what() const noexcept override { return what_->c_str(); }
  const absl::Status& status() const noexcept { return status_; }

 private:
  absl::Status status_;
  std::shared_ptr<const std::string> what_;
};

namespace detail {

// What as_status() gives of a T; what or_throw() gives of it, if that is a status.
template <class T>
struct in_status {
  using type = absl::StatusOr<T>;
};
template <>
struct in_status<void> {
  using type = absl::Status;
};
template <>
struct in_status<absl::Status> {
  using type = absl::Status;
  using value = void;
};
template <class T>
struct in_status<absl::StatusOr<T>> {
  using type = absl::StatusOr<T>;
  using value = T;
};

template <class T>
using status_of = typename in_status<std::remove_cvref_t<T>>::type;
template <class T>
concept gives_status = requires { typename in_status<std::remove_cvref_t<T>>::value; };
template <class T>
using value_behind = typename in_status<std::remove_cvref_t<T>>::value;

// Abseil's string_view need not be the standard one.
inline absl::Status status_with(absl::StatusCode code, std::string_view message) {
  return absl::Status(code, {message.data(), message.size()});
}

inline absl::StatusCode status_code(const cancel_reason& reason) noexcept {
  return reason.kind() == cancel_kind::deadline ? absl::StatusCode::kDeadlineExceeded
                                                : absl::StatusCode::kCancelled;
}

// "deadline: too slow"
inline std::string reason_text(const cancel_reason& reason) {
  std::string text(to_string(reason.kind()));
  if (!reason.message().empty()) {
    text.append(": ").append(reason.message());
  }
  return text;
}

template <class... E>
bool is_one_of(const error_entry& failure) noexcept {
  return (failure.get_if<E>() || ...);
}

absl::StatusCode status_code(const error_entry& failure);

inline absl::StatusCode status_code(const exception_group& group) {
  std::optional<absl::StatusCode> common;
  static_cast<void>(group.split([&](const error_entry& leaf) {
    const absl::StatusCode code = status_code(leaf);
    common = common.value_or(code) == code ? code : absl::StatusCode::kUnknown;
    return true;
  }));
  return common.value_or(absl::StatusCode::kUnknown);
}

inline absl::StatusCode status_code(const std::error_code& code) {
  return code.category() == std::generic_category() || code.category() == std::system_category()
             ? absl::ErrnoToStatusCode(code.value())
             : absl::StatusCode::kUnknown;
}

inline absl::StatusCode status_code(const error_entry& failure) {
  using absl::StatusCode;
  if (const auto* const thrown = failure.get_if<status_error>()) {
    return thrown->status().code();
  }
  if (const auto* const group = failure.get_if<exception_group>()) {
    return status_code(*group);
  }
  if (const auto* const cancelled = failure.get_if<task_cancelled>()) {
    return status_code(cancelled->reason());
  }
  if (const auto* const cancelled = failure.get_if<operation_cancelled>()) {
    return status_code(cancelled->reason());
  }
  if (const auto* const start = failure.get_if<start_error>()) {
    return status_code(error_entry(start->cause()));
  }
  if (const auto* const limit = failure.get_if<restart_limit_exceeded>()) {
    return status_code(error_entry(limit->cause()));
  }
  if (const auto* const error = failure.get_if<std::system_error>()) {
    return status_code(error->code());
  }
  if (is_one_of<timeout_error>(failure)) {
    return StatusCode::kDeadlineExceeded;
  }
  if (is_one_of<resource_exhausted, std::bad_alloc>(failure)) {
    return StatusCode::kResourceExhausted;
  }
  if (is_one_of<scope_closed>(failure)) {
    return StatusCode::kUnavailable;
  }
  if (is_one_of<std::invalid_argument, std::domain_error, std::length_error>(failure)) {
    return StatusCode::kInvalidArgument;
  }
  if (is_one_of<std::out_of_range, std::overflow_error, std::underflow_error, std::range_error>(
          failure)) {
    return StatusCode::kOutOfRange;
  }
  return is_one_of<std::logic_error>(failure) ? StatusCode::kInternal : StatusCode::kUnknown;
}

// "group "fetch" failed (3 sub-exceptions): no such symbol; timed out after 1s; and 1 more"
inline std::string status_message(const error_entry& failure) {
  std::string text = failure.message();
  const auto* const group = failure.get_if<exception_group>();
  if (group == nullptr) {
    return text;
  }
  constexpr std::size_t most = 10;
  std::size_t named = 0;
  static_cast<void>(group->split([&](const error_entry& leaf) {
    if (named != most) {
      text += named++ == 0 ? ": " : "; ";
      text += leaf.message();
    }
    return true;
  }));
  if (group->leaf_count() > most) {
    text += "; and " + std::to_string(group->leaf_count() - most) + " more";
  }
  return text;
}

}  // namespace detail
}  // namespace coppice::inline v0
