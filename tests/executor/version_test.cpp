#include <coppice/error.h>
#include <coppice/version.h>

#include <gtest/gtest.h>

#include <string>

namespace coppice {
namespace {

TEST(Version, OfTheLibraryIsTheHeaders) {
  EXPECT_EQ(version(), std::to_string(COPPICE_VERSION_MAJOR) + "." +
                           std::to_string(COPPICE_VERSION_MINOR) + "." +
                           std::to_string(COPPICE_VERSION_PATCH));
  EXPECT_NO_THROW(
      detail::require_version(COPPICE_VERSION_MAJOR, COPPICE_VERSION_MINOR, COPPICE_VERSION_PATCH));
}

TEST(Version, OfOtherHeadersIsAUsageErrorThatNamesBoth) {
  try {
    detail::require_version(COPPICE_VERSION_MAJOR, COPPICE_VERSION_MINOR + 7, 9);
    FAIL() << "the headers are of another version";
  } catch (const usage_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find(version()), std::string::npos) << text;
    EXPECT_NE(text.find('.' + std::to_string(COPPICE_VERSION_MINOR + 7) + ".9"), std::string::npos)
        << text;
  }
}

}  // namespace
}  // namespace coppice
