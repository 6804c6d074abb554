#include <coppice/site.h>

#include <gtest/gtest.h>

#include <string_view>
#include <type_traits>

namespace coppice {
namespace {

source_site asked_by(source_site where = source_site::current()) {
  return where;
}

TEST(Site, NamesTheCallerOfAFunctionThatHasItAsDefault) {
  const source_site here = asked_by();
  const std::uint32_t line = __LINE__ - 1;
  EXPECT_EQ(here.line, line);
  EXPECT_EQ(std::string_view(here.file), __FILE__);
  EXPECT_EQ(std::string_view(here.function), __func__);
}

TEST(Site, IsEmptyByDefault) {
  const source_site none;
  EXPECT_STREQ(none.file, "");
  EXPECT_STREQ(none.function, "");
  EXPECT_EQ(none.line, 0u);
}

TEST(Site, IsAConstantThatCanBeCopiedByteByByte) {
  static constexpr source_site here = source_site::current();
  static_assert(here.line != 0);
  static_assert(std::is_trivially_copyable_v<source_site>);
  static_assert(std::is_trivially_destructible_v<source_site>);
  SUCCEED();
}

TEST(TaskId, NoneIsZeroAndTheDefault) {
  static_assert(static_cast<std::uint64_t>(task_id::none) == 0);
  EXPECT_EQ(task_id(), task_id::none);
}

}  // namespace
}  // namespace coppice
