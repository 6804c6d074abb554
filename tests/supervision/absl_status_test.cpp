// Which status a failure is.
#include <coppice/absl.h>
#include <coppice/exception_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ios>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace coppice {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

template <class E>
StatusCode code_of(E error) {
  return to_status(std::make_exception_ptr(std::move(error))).code();
}

template <class... E>
error_entry group_of(E... errors) {
  std::vector<error_entry> entries = {error_entry(std::make_exception_ptr(std::move(errors)))...};
  return error_entry(std::make_exception_ptr(exception_group("fetch", std::move(entries))));
}

TEST(AbslStatus, OfEachKindOfException) {
  EXPECT_EQ(code_of(timeout_error(std::chrono::seconds(1))), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(code_of(task_cancelled("so")), StatusCode::kCancelled);
  EXPECT_EQ(code_of(task_cancelled(cancel_reason(cancel_kind::deadline))),
            StatusCode::kDeadlineExceeded);
  EXPECT_EQ(code_of(operation_cancelled("so")), StatusCode::kCancelled);
  EXPECT_EQ(code_of(resource_exhausted("full")), StatusCode::kResourceExhausted);
  EXPECT_EQ(code_of(std::bad_alloc()), StatusCode::kResourceExhausted);
  EXPECT_EQ(code_of(scope_closed("over")), StatusCode::kUnavailable);
  EXPECT_EQ(code_of(std::invalid_argument("x")), StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::length_error("x")), StatusCode::kInvalidArgument);
  EXPECT_EQ(code_of(std::out_of_range("x")), StatusCode::kOutOfRange);
  EXPECT_EQ(code_of(std::overflow_error("x")), StatusCode::kOutOfRange);
  EXPECT_EQ(code_of(usage_error("x")), StatusCode::kInternal);
  EXPECT_EQ(code_of(std::logic_error("x")), StatusCode::kInternal);
  EXPECT_EQ(code_of(std::runtime_error("x")), StatusCode::kUnknown);
  EXPECT_EQ(code_of(7), StatusCode::kUnknown);
}

TEST(AbslStatus, OfWhatTheSystemSays) {
  EXPECT_EQ(code_of(std::system_error(std::make_error_code(std::errc::no_such_file_or_directory))),
            StatusCode::kNotFound);
  EXPECT_EQ(code_of(std::system_error(std::make_error_code(std::errc::permission_denied))),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(code_of(std::system_error(std::make_error_code(std::io_errc::stream))),
            StatusCode::kUnknown)
      << "of another category";
}

TEST(AbslStatus, OfAFailedStartIsThatOfItsCause) {
  const auto cause = std::make_exception_ptr(std::out_of_range("x"));
  EXPECT_EQ(code_of(start_error("a", cause)), StatusCode::kOutOfRange);
  EXPECT_EQ(code_of(start_error("a", nullptr)), StatusCode::kUnknown);
  EXPECT_EQ(code_of(restart_limit_exceeded("s", "a", 4, cause)), StatusCode::kOutOfRange);
}

TEST(AbslStatus, MessagesAreWhatAHandlerWouldSee) {
  EXPECT_EQ(to_status(std::make_exception_ptr(std::runtime_error("disk full"))).message(),
            "disk full");
  EXPECT_THAT(std::string(to_status(std::make_exception_ptr(7)).message()), HasSubstr("int"));
  EXPECT_EQ(to_status(cancel_reason("too slow")), absl::CancelledError("requested: too slow"));
  EXPECT_EQ(to_status(cancel_reason(cancel_kind::shutdown)), absl::CancelledError("shutdown"));
}

TEST(AbslStatus, OfNoFailureIsOk) {
  EXPECT_TRUE(to_status(error_entry()).ok());
  EXPECT_TRUE(to_status(std::exception_ptr()).ok());
}

TEST(AbslStatus, OfAGroupIsWhatItsLeavesHaveInCommon) {
  EXPECT_EQ(to_status(group_of(std::bad_alloc(), resource_exhausted("full"))).code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(to_status(group_of(std::bad_alloc(), std::runtime_error("x"))).code(),
            StatusCode::kUnknown);
  EXPECT_EQ(to_status(group_of(status_error(absl::NotFoundError("x")))).code(),
            StatusCode::kNotFound);
  const error_entry inner = group_of(std::out_of_range("deep"));
  const auto outer = std::make_exception_ptr(exception_group("outer", {inner}));
  EXPECT_EQ(to_status(outer).code(), StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(to_status(outer).message()), HasSubstr("deep"));
}

TEST(AbslStatus, AGroupsMessageNamesTheFirstTen) {
  std::vector<error_entry> entries;
  for (int i = 1; i <= 12; ++i) {
    entries.emplace_back(std::make_exception_ptr(std::runtime_error("leaf " + std::to_string(i))));
  }
  const auto thrown = std::make_exception_ptr(exception_group("fetch", entries));
  const std::string text(to_status(thrown).message());
  EXPECT_THAT(text, HasSubstr("fetch (12 sub-exceptions): leaf 1; leaf 2; "));
  EXPECT_THAT(text, HasSubstr("leaf 10; and 2 more"));
}

TEST(AbslStatus, AnErrorOfOkIsRefused) {
  EXPECT_THROW(throw status_error(absl::OkStatus()), usage_error);
  const status_error error(absl::NotFoundError("no such symbol"));
  EXPECT_STREQ(error.what(), "NOT_FOUND: no such symbol");
  EXPECT_EQ(status_error(error).status(), absl::NotFoundError("no such symbol"));
}

}  // namespace
}  // namespace coppice
