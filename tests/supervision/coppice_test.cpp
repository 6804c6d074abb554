#include <coppice/coppice.h>

#include <gtest/gtest.h>

namespace co = coppice;

namespace {

co::task<int> twice(int x) {
  co_return 2 * x;
}

TEST(Coppice, OneHeaderIsEnoughForAProgram) {
  EXPECT_EQ(co::run([]() -> co::task<int> { co_return co_await co::spawn(twice, 21) - 42; }), 0);
}

TEST(Coppice, TheVersionOfTheHeadersIsThatOfTheLibrary) {
  const std::string expected = std::to_string(COPPICE_VERSION_MAJOR) + "." +
                               std::to_string(COPPICE_VERSION_MINOR) + "." +
                               std::to_string(COPPICE_VERSION_PATCH);
  EXPECT_EQ(co::version(), expected);
}

}  // namespace
