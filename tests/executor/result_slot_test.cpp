#include <coppice/detail/result_slot.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace coppice::detail {
namespace {

struct alignas(64) wide {
  int value = 0;
};

struct alignas(64) wide_and_counted {
  std::shared_ptr<int> value;
};

struct no_default {
  explicit no_default(int from) : value(from) {}
  int value;
};

struct throwing_move {
  throwing_move() = default;
  throwing_move(throwing_move&&) { throw std::runtime_error("move"); }
  std::string text = std::string(100, 'x');
};

bool aligned(const void* place, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(place) % alignment == 0;
}

TEST(ResultSlot, GivesBackWhatItWasGiven) {
  result_slot<int> slot;
  slot.reset();
  slot.emplace(7);
  EXPECT_FALSE(slot.failed());
  EXPECT_EQ(slot.take_value(), 7);
  slot.clear();
}

TEST(ResultSlot, MovesAValueThatCannotBeCopied) {
  result_slot<std::unique_ptr<int>> slot;
  slot.reset();
  slot.emplace(std::make_unique<int>(7));
  EXPECT_EQ(*slot.take_value(), 7);
  slot.clear();
}

TEST(ResultSlot, KeepsAReferenceAsOne) {
  int referred = 7;
  result_slot<int&> slot;
  slot.reset();
  slot.emplace(referred);
  EXPECT_EQ(&slot.take_value(), &referred);
  slot.clear();
}

TEST(ResultSlot, KeepsNothingOfVoid) {
  result_slot<void> slot;
  slot.reset();
  EXPECT_FALSE(slot.failed());
  slot.take_value();
  slot.clear();
}

TEST(ResultSlot, NeedsNoDefaultConstructor) {
  result_slot<no_default> slot;
  slot.reset();
  slot.emplace(7);
  EXPECT_EQ(slot.take_value().value, 7);
  slot.clear();
}

// Wherever the slot itself lies, in a frame that promises no more than operator new does.
TEST(ResultSlot, AlignsValuesBeyondWhatFramesAre) {
  EXPECT_LE(alignof(result_slot<wide_and_counted>), std::size_t{__STDCPP_DEFAULT_NEW_ALIGNMENT__});
  alignas(64) std::array<std::byte, sizeof(result_slot<wide_and_counted>) + 64> memory;
  for (std::size_t offset = 0; offset != 64; offset += alignof(result_slot<wide_and_counted>)) {
    auto& slot = *::new (&memory[offset]) result_slot<wide_and_counted>;
    slot.reset();
    slot.emplace(wide_and_counted{std::make_shared<int>(7)});
    const wide_and_counted taken = slot.take_value();
    EXPECT_TRUE(aligned(&taken, 64));
    EXPECT_EQ(*taken.value, 7);
    slot.clear();
    std::destroy_at(&slot);
  }
}

TEST(ResultSlot, DestroysTheValueOnce) {
  const auto counted = std::make_shared<int>(7);
  result_slot<std::shared_ptr<int>> slot;
  slot.reset();
  slot.clear();  // Nothing came.
  slot.emplace(counted);
  EXPECT_EQ(counted.use_count(), 2);
  slot.clear();
  EXPECT_EQ(counted.use_count(), 1);
  slot.clear();
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(ResultSlot, IsEmptyIfTheValueCouldNotBeMade) {
  result_slot<throwing_move> slot;
  slot.reset();
  EXPECT_THROW(slot.emplace(throwing_move()), std::runtime_error);
  EXPECT_FALSE(slot.failed());
  slot.clear();
}

TEST(ResultSlot, StillHasTheValueIfItCouldNotBeMovedOut) {
  result_slot<throwing_move> slot;
  slot.reset();
  slot.emplace();
  EXPECT_THROW(static_cast<void>(slot.take_value()), std::runtime_error);
  slot.clear();
}

template <class T>
class ResultSlotOf : public testing::Test {};

using kinds =
    testing::Types<void, char, long, int&, long double, std::string, wide, wide_and_counted>;
TYPED_TEST_SUITE(ResultSlotOf, kinds);

TYPED_TEST(ResultSlotOf, TakesAFailureOfAnyType) {
  result_slot<TypeParam> slot;
  slot.reset();
  slot.fail(std::make_exception_ptr(7));
  EXPECT_TRUE(slot.failed());
  EXPECT_THROW(std::rethrow_exception(slot.take_failure()), int);
  EXPECT_FALSE(slot.failed());
  slot.clear();
}

TYPED_TEST(ResultSlotOf, ClearsAFailureThatNobodyTook) {
  result_slot<TypeParam> slot;
  slot.reset();
  slot.fail(std::make_exception_ptr(std::string(100, 'x')));
  slot.clear();
  EXPECT_FALSE(slot.failed());
}

TYPED_TEST(ResultSlotOf, IsFoundAgainByItsPlace) {
  result_slot<TypeParam> slot;
  EXPECT_EQ(&result_slot<TypeParam>::of(slot.place_of_value()), &slot);
}

TEST(ResultSlot, ChainsFailuresAndKeepsThem) {
  result_slot<int> first;
  result_slot<std::string> second;
  first.reset();
  second.reset();
  first.fail(std::make_exception_ptr(1));
  second.fail(std::make_exception_ptr(2));
  first.earlier(nullptr);
  second.earlier(&first);
  EXPECT_TRUE(second.failed());
  EXPECT_EQ(second.earlier(), &first);
  EXPECT_EQ(first.earlier(), nullptr);
  EXPECT_THROW(std::rethrow_exception(second.take_failure()), int);
  EXPECT_THROW(std::rethrow_exception(first.take_failure()), int);
  EXPECT_FALSE(first.failed());
}

TEST(ResultSlot, TakesSmallPlainValuesStraight) {
  EXPECT_TRUE(result_slot<long>::direct);
  EXPECT_TRUE((result_slot<std::array<int, 100>>::direct));
  EXPECT_FALSE(result_slot<std::string>::direct);
  EXPECT_FALSE(result_slot<int&>::direct);
  EXPECT_FALSE(result_slot<void>::direct);
  EXPECT_FALSE(result_slot<wide>::direct);
  result_slot<long> slot;
  slot.reset();
  *static_cast<long*>(slot.place_of_value()) = 7;
  EXPECT_EQ(slot.take_value(), 7);
}

TEST(ResultSlot, KnowsWhetherItMustBeRemembered) {
  EXPECT_FALSE(result_slot<long>::tracked);
  EXPECT_FALSE(result_slot<int&>::tracked);
  EXPECT_FALSE(result_slot<void>::tracked);
  EXPECT_TRUE(result_slot<std::string>::tracked);
}

TEST(ResultSlot, SaysWhatStandsInATuple) {
  EXPECT_TRUE((std::is_same_v<gathered_value<void>::type, std::monostate>));
  EXPECT_TRUE((std::is_same_v<gathered_value<int&>::type, std::reference_wrapper<int>>));
  EXPECT_TRUE((std::is_same_v<gathered_value<std::string>::type, std::string>));
}

}  // namespace
}  // namespace coppice::detail
