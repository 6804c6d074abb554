#include <coppice/detail/export.h>

#include <gtest/gtest.h>

#include <string>

namespace coppice::detail {
namespace {

#pragma GCC visibility push(hidden)

COPPICE_EXPORT int shown();
int shown() {
  return 1;
}

struct COPPICE_EXPORT shown_type {
  virtual ~shown_type() = default;
};

#pragma GCC visibility pop

TEST(Export, MarksFunctionsAndWholeClassesAmidHiddenOnes) {
  EXPECT_EQ(shown(), 1);
  bool caught = false;
  try {
    throw shown_type();
  } catch (const shown_type&) {
    caught = true;
  }
  EXPECT_TRUE(caught);
}

}  // namespace
}  // namespace coppice::detail
