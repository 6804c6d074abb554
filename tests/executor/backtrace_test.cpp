#include "executor/backtrace.h"

#include <coppice/cancel.h>
#include <coppice/executor.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace coppice::detail {
namespace {

using testing::HasSubstr;

using captured = std::unique_ptr<const backtrace>;

// What stands behind the call keeps it from being the last, which would be a jump.
[[gnu::noinline]] captured capture_in_a_named_function() {
  captured trace(backtrace::capture());
  EXPECT_NE(trace, nullptr);
  return trace;
}

TEST(Backtrace, NamesTheCallers) {
  const std::string text = capture_in_a_named_function()->text("made by");
  EXPECT_THAT(text, testing::StartsWith("made by\n"));
  EXPECT_THAT(text, HasSubstr("capture_in_a_named_function"));
}

TEST(Backtrace, OfACancellerIsTakenOnlyWhileAnExecutorWantsIt) {
  EXPECT_EQ(reason_access::body(cancel_reason("before"))->made_by(), nullptr);
  {
    const executor debugged({.threads = 1, .debug = true});
    EXPECT_NE(reason_access::body(cancel_reason("meanwhile"))->made_by(), nullptr);
  }
  EXPECT_EQ(reason_access::body(cancel_reason("after"))->made_by(), nullptr);
}

}  // namespace
}  // namespace coppice::detail
