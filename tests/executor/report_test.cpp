#include <coppice/report.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;

error_report full_report() {
  return {error_origin::child,
          detail::make_entry(std::make_exception_ptr(std::runtime_error("boom")), task_id{12},
                             "fetch", {"server.cpp", "serve", 34}, std::nullopt, {}, {}),
          {"fetch", "jobs", "main"},
          "jobs"};
}

std::string printed(const error_report& report) {
  std::ostringstream out;
  out << report;
  return out.str();
}

// What lands on stderr while it lives, as whoever reads a log sees it.
class captured_stderr {
 public:
  captured_stderr() : saved_(::dup(STDERR_FILENO)), file_(std::tmpfile()) {
    ::dup2(::fileno(file_), STDERR_FILENO);
    ::fcntl(STDERR_FILENO, F_SETFL, O_APPEND);
  }
  ~captured_stderr() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    std::fclose(file_);
  }
  captured_stderr(const captured_stderr&) = delete;
  captured_stderr& operator=(const captured_stderr&) = delete;

  std::string text() const {
    std::string all;
    std::rewind(file_);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) {
      all.push_back(static_cast<char>(c));
    }
    return all;
  }

 private:
  int saved_;
  std::FILE* file_;
};

TEST(ErrorOrigin, IsWrittenAsItsEnumerator) {
  EXPECT_EQ(to_string(error_origin::child), "child");
  EXPECT_EQ(to_string(error_origin::cleanup), "cleanup");
  EXPECT_EQ(to_string(error_origin::handler), "handler");
  EXPECT_EQ(to_string(error_origin::suppressed), "suppressed");
  EXPECT_EQ(to_string(error_origin::never_retrieved), "never_retrieved");
}

TEST(ErrorReport, IsPrintedAsOneBlock) {
  EXPECT_EQ(printed(full_report()),
            "coppice: a task failed (child), reported by \"jobs\"\n"
            "  below \"fetch\" < \"jobs\" < \"main\"\n"
            "  | std::runtime_error: boom\n"
            "  | in task 12 \"fetch\", spawned at server.cpp:34 (serve)\n");
}

TEST(ErrorReport, AnEmptyOneIsPrintedToo) {
  EXPECT_EQ(printed(error_report()), "coppice: a task failed (child)\n  | no exception\n");
}

TEST(ErrorReport, EveryOriginHasItsHeadline) {
  for (const error_origin origin :
       {error_origin::child, error_origin::cleanup, error_origin::handler, error_origin::suppressed,
        error_origin::never_retrieved}) {
    error_report report = full_report();
    report.origin = origin;
    EXPECT_THAT(printed(report), HasSubstr(to_string(origin)));
  }
}

TEST(ErrorReport, IsKeptByCopy) {
  error_report kept;
  {
    const error_report report = full_report();
    kept = report;
  }
  EXPECT_EQ(printed(kept), printed(full_report()));
}

TEST(DefaultErrorHandler, WritesTheBlockToStderr) {
  const captured_stderr captured;
  detail::default_error_handler(full_report());
  EXPECT_EQ(captured.text(), printed(full_report()));
}

TEST(DefaultErrorHandler, BlocksOfSeveralThreadsDoNotMix) {
  const captured_stderr captured;
  const error_report report = full_report();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i != 4; ++i) {
      threads.emplace_back([&report] {
        for (int round = 0; round != 50; ++round) {
          detail::default_error_handler(report);
        }
      });
    }
  }
  std::string expected;
  for (int i = 0; i != 200; ++i) {
    expected += printed(report);
  }
  EXPECT_EQ(captured.text(), expected);
}

TEST(DefaultErrorHandler, WithoutMemoryStillSaysWhatFailed) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const error_report report = full_report();
  const std::string whole = printed(report);
  bool refused = true;
  for (std::size_t k = 1; refused; ++k) {
    for (const failing_times times : {failing_times::once, failing_times::from_there_on}) {
      const captured_stderr captured;
      fail_allocation_at no_memory(k, failing_threads::caller, times);
      detail::default_error_handler(report);
      no_memory.stop();
      refused = no_memory.reached();
      const std::string text = captured.text();
      if (refused) {
        ASSERT_THAT(text, StartsWith("coppice: a task failed (child)"));
        ASSERT_THAT(text, HasSubstr("boom"));
        ASSERT_THAT(text, EndsWith("\n"));
      } else {
        ASSERT_EQ(text, whole);
      }
    }
  }
}

TEST(DefaultErrorHandler, WithoutMemoryCutsATextThatIsTooLong) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  error_report report = full_report();
  report.entry = error_entry(std::make_exception_ptr(std::runtime_error(std::string(5'000, 'x'))));
  const captured_stderr captured;
  fail_allocation_at no_memory(1, failing_threads::caller, failing_times::from_there_on);
  detail::default_error_handler(report);
  no_memory.stop();
  const std::string text = captured.text();
  EXPECT_THAT(text, HasSubstr("xxx"));
  EXPECT_EQ(text.size(), 1'024u);
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
}

TEST(DefaultErrorHandler, OfWhatIsNoExceptionClassSaysTheType) {
  const error_report report{
      error_origin::handler, error_entry(std::make_exception_ptr(42)), {}, {}};
  const captured_stderr captured;
  detail::default_error_handler(report);
  EXPECT_EQ(captured.text(),
            "coppice: an error handler or callback threw (handler)\n  | int: 42\n");
}

}  // namespace
}  // namespace coppice
