// Trees of exception_group that are deeper than the stack.
#include <coppice/exception_group.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/groups.h"

namespace coppice {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using testing_support::entry_of;
using testing_support::group_entry;

constexpr std::size_t depth = 100'000;

// Runs it on a thread that has a stack of 64 KiB, which an overflow ends with the program.
template <class Body>
void on_small_stack(const Body& body) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, std::size_t{64} * 1024), 0);
  pthread_t thread;
  const auto call = [](void* what) -> void* {
    (*static_cast<const Body*>(what))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, call,
                           const_cast<void*>(static_cast<const void*>(&body))),
            0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

// A chain of groups, each the only one in the one above; `below` stands at its end.
template <class Group = exception_group>
exception_group chain(std::vector<error_entry> below) {
  for (std::size_t i = 1; i != depth; ++i) {
    error_entry group = entry_of(Group("level", std::move(below)));
    below = {std::move(group)};
  }
  return exception_group("level", std::move(below));
}

std::size_t depth_of(const exception_group& group) {
  std::size_t levels = 1;
  for (const auto* inner = group.exceptions().front().get_if<exception_group>(); inner != nullptr;
       inner = inner->exceptions().front().get_if<exception_group>()) {
    ++levels;
  }
  return levels;
}

TEST(GroupDepth, IsBuiltReadAndDestroyed) {
  on_small_stack([] {
    const exception_group group = chain({entry_of(1), entry_of(2)});
    EXPECT_EQ(group.leaf_count(), 2u);
    EXPECT_EQ(group.single(), std::nullopt);
    EXPECT_STREQ(group.what(), "level (1 sub-exception)");
    const std::vector<group_leaf> leaves = group.leaves();
    ASSERT_EQ(leaves.size(), 2u);
    EXPECT_EQ(leaves[1].path.size(), depth);
    EXPECT_EQ(leaves[1].path.back(), 1u);
    EXPECT_EQ(depth_of(group), depth);
  });
}

TEST(GroupDepth, TheSingleLeafIsFound) {
  on_small_stack([] { EXPECT_EQ(*chain({entry_of(42)}).single()->get_if<int>(), 42); });
}

TEST(GroupDepth, IsSplitAtTheBottom) {
  on_small_stack([] {
    const group_split sides = chain({entry_of(1), entry_of(std::string("s"))}).split<int>();
    EXPECT_EQ(depth_of(*sides.matching), depth);
    EXPECT_EQ(depth_of(*sides.rest), depth);
    EXPECT_NE(sides.matching->single()->get_if<int>(), nullptr);
    EXPECT_NE(sides.rest->single()->get_if<std::string>(), nullptr);
  });
}

TEST(GroupDepth, IsHandledAtTheBottom) {
  on_small_stack([] {
    int handled = 0;
    const group_ptr rest = chain({entry_of(1), entry_of(std::string("s"))})
                               .handle<int>([&](int n) { handled = n; })
                               .rest();
    EXPECT_EQ(handled, 1);
    EXPECT_EQ(depth_of(*rest), depth);
  });
}

TEST(GroupDepth, IsRethrownNotedAndAssigned) {
  on_small_stack([] {
    exception_group group = chain({entry_of(1)});
    EXPECT_THROW(group.rethrow(), exception_group);
    group = group.with_note("a note");
    group = exception_group("shallow", {entry_of(1)});
  });
}

TEST(GroupDepth, IsFormattedWithTheFirstFailureAtTheEnd) {
  on_small_stack([] {
    const std::string text = chain({entry_of(std::runtime_error("bottom"))}).format();
    EXPECT_THAT(text, StartsWith("| coppice::exception_group: level (1 sub-exception)\n"));
    EXPECT_THAT(text, HasSubstr("levels below\n"));
    EXPECT_THAT(text, HasSubstr("std::runtime_error: bottom\n"));
    EXPECT_LT(text.size(), 20'000u);
  });
}

class derived_level : public exception_group {
 public:
  using exception_group::exception_group;
  group_ptr derive(std::vector<error_entry> exceptions) const override {
    return std::make_shared<const derived_level>(message(), std::move(exceptions));
  }
  [[noreturn]] void rethrow() const override { throw *this; }
};

TEST(GroupDepth, DerivedGroupsAreSplitAndKeepTheirTypes) {
  on_small_stack([] {
    const group_split sides =
        chain<derived_level>({entry_of(1), entry_of(std::string("s"))}).split<int>();
    EXPECT_EQ(depth_of(*sides.matching), depth);
    EXPECT_NE(sides.rest->exceptions().front().get_if<derived_level>(), nullptr);
  });
}

// A leaf at every level: what is known of each inner group, and failures suppressed by it, go along.
TEST(GroupDepth, ACombIsSplitAtEveryLevel) {
  on_small_stack([] {
    std::vector<error_entry> below = {entry_of(0), entry_of(std::string("s"))};
    for (std::size_t i = 1; i != depth; ++i) {
      error_entry inner = group_entry("level", std::move(below));
      ASSERT_TRUE(detail::add_note(inner, "a note"));
      below = {entry_of(static_cast<int>(i)), entry_of(std::string("s")), std::move(inner)};
    }
    const exception_group comb("level", std::move(below));
    EXPECT_EQ(comb.leaf_count(), 2 * depth);
    std::size_t handled = 0;
    const group_ptr rest = comb.handle<int>([&](int) { ++handled; }).rest();
    EXPECT_EQ(handled, depth);
    EXPECT_EQ(rest->leaf_count(), depth);
    EXPECT_EQ(rest->exceptions().back().notes().size(), 1u);
    EXPECT_LT(comb.format().size(), 100'000u);
  });
}

TEST(GroupDepth, SuppressedFailuresMayBeGroupsThatSuppressedOthers) {
  on_small_stack([] {
    error_entry entry = entry_of(1);
    for (std::size_t i = 1; i != depth; ++i) {
      error_entry above = group_entry("level", {entry_of(2)});
      ASSERT_TRUE(detail::add_suppressed(above, entry));
      entry = std::move(above);
    }
    const exception_group group("top", {entry});
    EXPECT_EQ(group.leaf_count(), 1u);
    EXPECT_LT(group.format().size(), 20'000u);
  });
}

}  // namespace
}  // namespace coppice
