#include "supervision/group_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/failing_new.h"
#include "tests/support/groups.h"

namespace coppice {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::entry_of;
using testing_support::group_entry;
using testing_support::outline;

exception_group tree() {
  return exception_group(
      "root",
      {entry_of(std::out_of_range("a")), group_entry("ints", {entry_of(1), entry_of(2)}),
       group_entry("mixed", {entry_of(3),
                             group_entry("deep", {entry_of(std::logic_error("b")), entry_of(4)})}),
       entry_of(std::runtime_error("c"))});
}

bool is_int(const error_entry& leaf) {
  return leaf.get_if<int>() != nullptr;
}

// ---- Split --------------------------------------------------------------------------------------

TEST(GroupTree, SplitKeepsTheNestingAndTheOrderOfBothSides) {
  const group_split sides = tree().split<int>();
  EXPECT_EQ(outline(sides.matching), "root[ints[int, int], mixed[int, deep[int]]]");
  EXPECT_EQ(outline(sides.rest), "root[a, mixed[deep[b]], c]");
}

TEST(GroupTree, SplitByAPredicateAsksOnceForEachLeafInOrder) {
  std::vector<std::string> asked;
  const group_split sides = tree().split([&](const error_entry& leaf) {
    asked.push_back(leaf.message());
    return asked.size() % 2 == 0;
  });
  EXPECT_THAT(asked, ElementsAre("a", "int", "int", "int", "b", "int", "c"));
  EXPECT_EQ(outline(sides.matching), "root[ints[int], mixed[int, deep[int]]]");
  EXPECT_EQ(outline(sides.rest), "root[a, ints[int], mixed[deep[b]], c]");
}

TEST(GroupTree, ASideWithoutLeavesIsNull) {
  const group_split all = tree().split([](const error_entry&) { return true; });
  EXPECT_EQ(outline(all.matching), outline(tree()));
  EXPECT_EQ(all.rest, nullptr);
  const group_split none = tree().split<double>();
  EXPECT_EQ(none.matching, nullptr);
  EXPECT_EQ(outline(none.rest), outline(tree()));
}

TEST(GroupTree, SplitTakesWhatACatchOfOneOfTheTypesWouldTake) {
  EXPECT_EQ(outline(tree().subgroup<std::exception>()), "root[a, mixed[deep[b]], c]");
  EXPECT_EQ(outline(tree().subgroup<std::logic_error>()), "root[a, mixed[deep[b]]]");
  EXPECT_EQ(outline(tree().subgroup<std::runtime_error, int>()),
            "root[ints[int, int], mixed[int, deep[int]], c]");
  EXPECT_EQ(tree().subgroup<std::bad_alloc>(), nullptr);
  EXPECT_EQ(tree().subgroup<long>(), nullptr);
}

TEST(GroupTree, SubgroupByAPredicateIsTheMatchingSide) {
  EXPECT_EQ(outline(tree().subgroup(is_int)), outline(tree().split(is_int).matching));
}

TEST(GroupTree, SplitByAnEmptyFunctionIsAUsageError) {
  EXPECT_THROW(static_cast<void>(tree().split(nullptr)), usage_error);
  EXPECT_THROW(static_cast<void>(tree().subgroup(nullptr)), usage_error);
}

TEST(GroupTree, WhatThePredicateThrowsLeaves) {
  EXPECT_THROW(static_cast<void>(tree().split([](const error_entry&) -> bool { throw 5; })), int);
}

TEST(GroupTree, LeavesAreTheSameExceptionsBehindASplit) {
  const exception_group group = tree();
  const group_ptr ints = group.subgroup<int>();
  EXPECT_EQ(ints->leaves()[0].entry.error(), group.leaves()[1].entry.error());
}

TEST(GroupTree, AnInnerGroupThatStaysWholeIsNotMadeAnew) {
  const exception_group group = tree();
  const group_split sides = group.split<int>();
  EXPECT_EQ(sides.matching->exceptions()[0].error(), group.exceptions()[1].error());
  const group_split others = group.split<std::out_of_range>();
  EXPECT_EQ(others.rest->exceptions()[0].error(), group.exceptions()[1].error());
}

// ---- What is known of the groups ----------------------------------------------------------------

TEST(GroupTree, BothSidesKeepTheNotes) {
  const group_split sides = tree().with_note("first").with_note("second").split<int>();
  EXPECT_THAT(sides.matching->notes(), ElementsAre("first", "second"));
  EXPECT_THAT(sides.rest->notes(), ElementsAre("first", "second"));
}

TEST(GroupTree, BothPartsOfAnInnerGroupKeepWhatIsKnownOfIt) {
  const exception_group inner =
      exception_group("inner", {entry_of(1), entry_of(std::string("s"))}).with_note("of the group");
  const error_entry known = detail::make_entry(
      std::make_exception_ptr(inner), task_id{12}, "fetch", {"server.cpp", "serve", 34},
      cancel_reason(cancel_kind::deadline, "late"), {entry_of(2)}, {"of the entry"});
  const group_split sides = exception_group("outer", {known}).split<int>();
  for (const group_ptr& side : {sides.matching, sides.rest}) {
    const error_entry& part = side->exceptions().front();
    EXPECT_EQ(part.id(), task_id{12});
    EXPECT_EQ(part.name(), "fetch");
    EXPECT_EQ(part.site().line, 34u);
    ASSERT_NE(part.context(), nullptr);
    EXPECT_EQ(part.context()->message(), "late");
    EXPECT_EQ(part.suppressed().size(), 1u);
    EXPECT_THAT(part.notes(), ElementsAre("of the entry"));
    EXPECT_THAT(part.get_if<exception_group>()->notes(), ElementsAre("of the group"));
  }
}

// ---- Derived groups -----------------------------------------------------------------------------

class numbered : public exception_group {
 public:
  numbered(int number, std::vector<error_entry> exceptions)
      : exception_group("numbered", std::move(exceptions)), number_(number) {}

  int number() const { return number_; }

  group_ptr derive(std::vector<error_entry> exceptions) const override {
    return std::make_shared<const numbered>(number_, std::move(exceptions));
  }
  [[noreturn]] void rethrow() const override { throw *this; }

 private:
  int number_;
};

class undecided : public exception_group {
 public:
  using exception_group::exception_group;
};

class careless : public exception_group {
 public:
  using exception_group::exception_group;
  group_ptr derive(std::vector<error_entry>) const override { return nullptr; }
};

int number_of(const group_ptr& group) {
  const auto* const known = dynamic_cast<const numbered*>(group.get());
  return known != nullptr ? known->number() : -1;
}

TEST(GroupTree, ADerivedRootKeepsItsTypeOnBothSides) {
  const numbered root(7, {entry_of(1), entry_of(std::string("s"))});
  const group_split sides = root.split<int>();
  EXPECT_EQ(number_of(sides.matching), 7);
  EXPECT_EQ(number_of(sides.rest), 7);
  EXPECT_EQ(number_of(root.split<double>().rest), 7) << "undivided";
}

TEST(GroupTree, ADerivedInnerGroupKeepsItsTypeOnBothSides) {
  const exception_group root("root",
                             {entry_of(numbered(7, {entry_of(1), entry_of(std::string("s"))}))});
  const group_split sides = root.split<int>();
  for (const group_ptr& side : {sides.matching, sides.rest}) {
    const auto* const inner = side->exceptions().front().get_if<numbered>();
    ASSERT_NE(inner, nullptr);
    EXPECT_EQ(inner->number(), 7);
  }
}

TEST(GroupTree, AGroupThatDoesNotDeriveBecomesAPlainOne) {
  const undecided root("root", {entry_of(1), entry_of(std::string("s"))});
  const group_ptr ints = root.subgroup<int>();
  EXPECT_EQ(outline(ints), "root[int]");
  const exception_group& made = *ints;
  EXPECT_EQ(typeid(made), typeid(exception_group));
}

// Its notes are set through the base, as nothing else can set them.
TEST(GroupTree, NotesOfADerivedGroupAreAddedToWhatItDerives) {
  numbered root(7, {entry_of(1), entry_of(std::string("s"))});
  static_cast<exception_group&>(root) = root.with_note("a note");
  const group_split sides = root.split<int>();
  EXPECT_EQ(number_of(sides.matching), 7);
  EXPECT_THAT(sides.matching->notes(), ElementsAre("a note"));
  EXPECT_THAT(sides.rest->notes(), ElementsAre("a note"));
}

TEST(GroupTree, AGroupThatOthersSeeIsNotGivenNotes) {
  static const group_ptr shared = std::make_shared<const exception_group>(tree());
  class sharing : public exception_group {
   public:
    using exception_group::exception_group;
    group_ptr derive(std::vector<error_entry>) const override { return shared; }
  };
  sharing root("root", {entry_of(1), entry_of(std::string("s"))});
  static_cast<exception_group&>(root) = root.with_note("a note");
  EXPECT_EQ(root.subgroup<int>(), shared);
  EXPECT_THAT(shared->notes(), IsEmpty());
}

TEST(GroupTree, DeriveThatReturnsNullIsAUsageError) {
  const careless root("root", {entry_of(1), entry_of(std::string("s"))});
  EXPECT_THROW(static_cast<void>(root.split<int>()), usage_error);
}

TEST(GroupTree, TheExceptionOfAGroupHasItsDynamicType) {
  const numbered group(7, {entry_of(1)});
  const exception_group& seen = group;
  EXPECT_EQ(*error_entry(detail::as_exception(seen)).type(), typeid(numbered));
  EXPECT_EQ(*error_entry(detail::as_exception(tree())).type(), typeid(exception_group));
}

// ---- Any type -----------------------------------------------------------------------------------

struct left {
  virtual ~left() = default;
  int l = 1;
};
struct right {
  virtual ~right() = default;
  int r = 2;
};
struct both : left, right {};
struct shared_left : virtual left {};
struct other_left : virtual left {};
struct diamond : shared_left, other_left {};
struct left_too : left {};
struct twice : left_too, both {};  // left is ambiguous.
struct secretly : private right {};

TEST(GroupTree, BasesCountAsForACatch) {
  const exception_group group(
      "bases", {entry_of(both()), entry_of(diamond()), entry_of(twice()), entry_of(secretly())});
  const auto count = [](const group_ptr& part) { return part != nullptr ? part->leaf_count() : 0; };
  EXPECT_EQ(count(group.subgroup<left>()), 2u);
  EXPECT_EQ(count(group.subgroup<right>()), 2u);
  EXPECT_EQ(count(group.subgroup<other_left>()), 1u);
}

TEST(GroupTree, PointersAreConvertedAsForACatch) {
  static both object;
  const exception_group group("pointers", {entry_of(&object), entry_of("text"), entry_of(nullptr)});
  EXPECT_EQ(group.subgroup<right*>()->leaf_count(), 2u) << "nullptr is caught as any pointer";
  EXPECT_EQ(group.subgroup<const void*>()->leaf_count(), 3u);
  EXPECT_EQ(*group.exceptions()[0].get_if<right*>(), static_cast<right*>(&object));
}

// ---- Memory -------------------------------------------------------------------------------------

TEST(GroupTree, WithoutMemoryAGroupIsAsItWas) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const exception_group plain = tree().with_note("a note long enough to need memory of its own");
  error_entry known = entry_of(numbered(7, {entry_of(plain), entry_of(5)}));
  ASSERT_TRUE(detail::add_note(known, "a note"));
  const numbered derived(8, {known, entry_of(std::string("s"))});
  const std::string before = outline(plain);
  const auto scenario = [&](auto&) {
    try {
      const group_split sides = plain.split<int>();
      EXPECT_EQ(sides.matching->leaf_count() + sides.rest->leaf_count(), plain.leaf_count());
      const group_split noted = derived.split<int>();
      EXPECT_EQ(noted.matching->leaf_count(), 5u);
      EXPECT_EQ(noted.matching->exceptions().front().notes().size(), 1u);
      EXPECT_EQ(noted.rest->exceptions().front().notes().size(), 1u);
      EXPECT_EQ(plain.leaves().size(), 7u);
      EXPECT_EQ(plain.with_note("another").notes().size(), 2u);
      EXPECT_EQ(plain.format().back(), '\n');
    } catch (const std::bad_alloc&) {
    }
  };
  testing_support::for_each_failing_allocation(scenario);
  const std::size_t live = testing_support::live_allocations();
  EXPECT_GT(testing_support::for_each_failing_allocation(scenario), 50u);
  EXPECT_EQ(testing_support::live_allocations(), live);
  EXPECT_EQ(outline(plain), before);
}

}  // namespace
}  // namespace coppice
