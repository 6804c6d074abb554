#include <coppice/detail/await_suspend.h>

#include <gtest/gtest.h>

namespace {

struct marked {
  COPPICE_AWAIT_SUSPEND int value() const noexcept { return 7; }
};

TEST(AwaitSuspend, TheMarkChangesNothingOfWhatAFunctionDoes) {
  EXPECT_EQ(marked().value(), 7);
}

}  // namespace
