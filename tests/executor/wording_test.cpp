#include "executor/wording.h"

#include <gtest/gtest.h>

#include <chrono>

namespace coppice::detail {
namespace {

using namespace std::chrono_literals;

TEST(Wording, AReasonIsItsKindAndText) {
  EXPECT_EQ(reason_text({cancel_kind::deadline, "too slow"}), "deadline: too slow");
  EXPECT_EQ(reason_text({cancel_kind::shutdown}), "shutdown");
}

TEST(Wording, ASiteIsFileAndLine) {
  EXPECT_EQ(site_text({"server.cpp", "serve", 34}), "server.cpp:34");
  EXPECT_EQ(site_text({}), "");
  EXPECT_EQ(site_text({nullptr, nullptr, 0}), "");
}

TEST(Wording, ATaskIsItsNumberAndName) {
  EXPECT_EQ(task_text(task_id{12}, "fetch"), "task 12 \"fetch\"");
  EXPECT_EQ(task_text(task_id{12}, ""), "task 12");
  EXPECT_EQ(task_text(task_id::none, "fetch"), "task \"fetch\"");
  EXPECT_EQ(task_text(task_id::none, ""), "");
}

TEST(Wording, ADurationIsInItsLargestUnit) {
  EXPECT_EQ(duration_text(250ms), "250ms");
  EXPECT_EQ(duration_text(1500ms), "1.5s");
  EXPECT_EQ(duration_text(1s), "1s");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(1234567us), "1.234s");
  EXPECT_EQ(duration_text(1050us), "1.05ms");
  EXPECT_EQ(duration_text(20us), "20us");
  EXPECT_EQ(duration_text(7ns), "7ns");
  EXPECT_EQ(duration_text(0ns), "0s");
  EXPECT_EQ(duration_text(-5s), "0s");
  EXPECT_EQ(duration_text(std::chrono::nanoseconds::max()), "9223372036.854s");
}

}  // namespace
}  // namespace coppice::detail
