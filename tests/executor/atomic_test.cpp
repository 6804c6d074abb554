#include <coppice/detail/atomic.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>

namespace coppice::detail {
namespace {

// Words of this size are all that lock-free headers keep: a state, a count, an index, a pointer.
template <typename Word>
class Atomic : public testing::Test {};
using words = testing::Types<bool, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t,
                             std::int64_t, void*>;
TYPED_TEST_SUITE(Atomic, words);

TYPED_TEST(Atomic, IsTheStandardOneOutsideAModel) {
  EXPECT_TRUE((std::is_same_v<atomic<TypeParam>, std::atomic<TypeParam>>));
}

TYPED_TEST(Atomic, NeedsNoLock) {
  EXPECT_TRUE(atomic<TypeParam>::is_always_lock_free);
}

TYPED_TEST(Atomic, IsNoLargerThanItsValue) {
  EXPECT_EQ(sizeof(atomic<TypeParam>), sizeof(TypeParam));
}

TYPED_TEST(Atomic, IsAlignedToItsSize) {
  EXPECT_EQ(alignof(atomic<TypeParam>), sizeof(atomic<TypeParam>));
}

TYPED_TEST(Atomic, BeginsAsNothing) {
  const atomic<TypeParam> word;
  EXPECT_EQ(word.load(std::memory_order_relaxed), TypeParam{});
}

}  // namespace
}  // namespace coppice::detail
