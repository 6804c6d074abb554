#include <coppice/exception_group.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/groups.h"

namespace coppice {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing_support::entry_of;
using testing_support::group_entry;
using testing_support::outline;

exception_group three() {
  return exception_group(
      "fetch",
      {entry_of(std::out_of_range("a")),
       group_entry("inner", {entry_of(2), entry_of(std::logic_error("b"))}), entry_of("text")});
}

// ---- Construction and facts ---------------------------------------------------------------------

TEST(ExceptionGroup, OfNothingIsAUsageError) {
  EXPECT_THROW(exception_group("none", {}), usage_error);
}

TEST(ExceptionGroup, OfAnEmptyEntryIsAUsageError) {
  EXPECT_THROW(exception_group("one", {entry_of(1), error_entry()}), usage_error);
}

TEST(ExceptionGroup, WhatIsTheMessageAndTheNumberOfDirectExceptions) {
  EXPECT_STREQ(three().what(), "fetch (3 sub-exceptions)");
  EXPECT_STREQ(exception_group("fetch", {entry_of(1)}).what(), "fetch (1 sub-exception)");
  EXPECT_STREQ(exception_group("", {entry_of(1), entry_of(2)}).what(), "(2 sub-exceptions)");
}

TEST(ExceptionGroup, TheMessageIsWhatItWasGiven) {
  EXPECT_EQ(three().message(), "fetch");
  EXPECT_EQ(exception_group("", {entry_of(1)}).message(), "");
  const std::string with_zero("a\0b", 3);
  EXPECT_EQ(exception_group(with_zero, {entry_of(1)}).message(), with_zero);
}

TEST(ExceptionGroup, ItsExceptionsStandInTheOrderTheyCame) {
  const exception_group group = three();
  ASSERT_EQ(group.exceptions().size(), 3u);
  EXPECT_EQ(group.exceptions()[0].message(), "a");
  EXPECT_EQ(group.exceptions()[1].message(), "inner (2 sub-exceptions)");
  EXPECT_STREQ(*group.exceptions()[2].get_if<const char*>(), "text");
}

TEST(ExceptionGroup, WhatIsKnownOfALeafStaysWithIt) {
  const error_entry known = detail::make_entry(
      std::make_exception_ptr(1), task_id{12}, "fetch", {"server.cpp", "serve", 34},
      cancel_reason(cancel_kind::deadline, "late"), {entry_of(2)}, {"a note"});
  const exception_group group("fetch", {known});
  const error_entry& leaf = group.exceptions().front();
  EXPECT_EQ(leaf.id(), task_id{12});
  EXPECT_EQ(leaf.name(), "fetch");
  EXPECT_EQ(leaf.site().line, 34u);
  EXPECT_NE(leaf.context(), nullptr);
  EXPECT_EQ(leaf.suppressed().size(), 1u);
  EXPECT_THAT(leaf.notes(), ElementsAre("a note"));
}

TEST(ExceptionGroup, IsCaughtAsAnExceptionAndAsItself) {
  EXPECT_THROW(three().rethrow(), std::exception);
  try {
    throw three();
  } catch (const exception_group& group) {
    EXPECT_EQ(outline(group), outline(three()));
  }
}

TEST(ExceptionGroup, CopiesShareTheTreeAndCannotFail) {
  static_assert(std::is_nothrow_copy_constructible_v<exception_group>);
  static_assert(std::is_nothrow_copy_assignable_v<exception_group>);
  const auto group = std::make_unique<exception_group>(three());
  const exception_group copy = *group;
  EXPECT_EQ(copy.exceptions().data(), group->exceptions().data());
  EXPECT_EQ(copy.what(), group->what());
}

TEST(ExceptionGroup, AssignmentLetsGoOfTheOldTreeAndMayTakeAPartOfIt) {
  const auto kept = std::make_shared<int>(1);
  exception_group group("outer", {group_entry("inner", {entry_of(kept)}), entry_of(kept)});
  EXPECT_EQ(kept.use_count(), 3);
  group = *group.exceptions().front().get_if<exception_group>();
  EXPECT_EQ(group.message(), "inner");
  EXPECT_EQ(kept.use_count(), 2);
  const exception_group& same = group;
  group = same;
  EXPECT_EQ(outline(group), "inner[std::shared_ptr<int>]");
  group = three();
  EXPECT_EQ(kept.use_count(), 1);
}

// ---- Leaves -------------------------------------------------------------------------------------

TEST(ExceptionGroup, LeavesAreCountedThroughAllLevels) {
  EXPECT_EQ(three().leaf_count(), 4u);
  EXPECT_EQ(exception_group("two", {error_entry(std::make_exception_ptr(three())), entry_of(1)})
                .leaf_count(),
            5u);
}

TEST(ExceptionGroup, ACountOfLeavesDoesNotOverflow) {
  exception_group doubled("double", {entry_of(1)});
  for (int i = 0; i != 100; ++i) {
    const error_entry both(std::make_exception_ptr(doubled));
    doubled = exception_group("double", {both, both});
  }
  EXPECT_EQ(doubled.leaf_count(), std::numeric_limits<std::size_t>::max());
}

TEST(ExceptionGroup, LeavesComeDepthFirstWithTheirPaths) {
  const std::vector<group_leaf> leaves = three().leaves();
  ASSERT_EQ(leaves.size(), 4u);
  EXPECT_EQ(leaves[0].entry.message(), "a");
  EXPECT_THAT(leaves[0].path, ElementsAre(0));
  EXPECT_EQ(*leaves[1].entry.get_if<int>(), 2);
  EXPECT_THAT(leaves[1].path, ElementsAre(1, 0));
  EXPECT_EQ(leaves[2].entry.message(), "b");
  EXPECT_THAT(leaves[2].path, ElementsAre(1, 1));
  EXPECT_THAT(leaves[3].path, ElementsAre(2));
}

TEST(ExceptionGroup, APathLeadsToItsLeaf) {
  const exception_group group = three();
  for (const group_leaf& leaf : group.leaves()) {
    const exception_group* at = &group;
    for (std::size_t i = 0; i + 1 != leaf.path.size(); ++i) {
      at = at->exceptions()[leaf.path[i]].get_if<exception_group>();
    }
    EXPECT_EQ(at->exceptions()[leaf.path.back()].error(), leaf.entry.error());
  }
}

TEST(ExceptionGroup, TheSingleLeafIsFoundAtAnyDepth) {
  const error_entry leaf = entry_of(42);
  EXPECT_EQ(exception_group("one", {leaf}).single()->error(), leaf.error());
  const exception_group deep("one", {group_entry("two", {group_entry("three", {leaf})})});
  EXPECT_EQ(deep.single()->error(), leaf.error());
  EXPECT_EQ(three().single(), std::nullopt);
  EXPECT_EQ(exception_group("twice", {leaf, leaf}).single(), std::nullopt);
}

// ---- Notes and text -----------------------------------------------------------------------------

TEST(ExceptionGroup, ANoteIsAddedToACopy) {
  const exception_group group = three();
  const exception_group noted = group.with_note("first").with_note("second");
  EXPECT_THAT(group.notes(), IsEmpty());
  EXPECT_THAT(noted.notes(), ElementsAre("first", "second"));
  EXPECT_STREQ(noted.what(), group.what());
  EXPECT_EQ(outline(noted), outline(group));
}

TEST(ExceptionGroup, FormatShowsTheTree) {
  EXPECT_EQ(three().with_note("third attempt").format(),
            "| coppice::exception_group: fetch (3 sub-exceptions)\n"
            "| note: third attempt\n"
            "+- 1 of 3\n"
            "  | std::out_of_range: a\n"
            "+- 2 of 3\n"
            "  | coppice::exception_group: inner (2 sub-exceptions)\n"
            "  +- 1 of 2\n"
            "    | int: 2\n"
            "  +- 2 of 2\n"
            "    | std::logic_error: b\n"
            "+- 3 of 3\n"
            "  | char const*: text\n");
}

TEST(ExceptionGroup, FormatCountsTheLeavesThatItLeavesOut) {
  const exception_group many("many", std::vector<error_entry>(100, entry_of(7)));
  EXPECT_THAT(many.format(), EndsWith("+- and 50 more not shown\n"));
  EXPECT_THAT(many.format(10), EndsWith("+- and 90 more not shown\n"));
  EXPECT_EQ(many.format(0),
            "| coppice::exception_group: many (100 sub-exceptions)\n"
            "+- and 100 more not shown\n");
}

TEST(ExceptionGroup, AReportPrintsItAsATree) {
  std::ostringstream out;
  detail::print_entry(out, error_entry(std::make_exception_ptr(three())));
  EXPECT_EQ(out.str(), three().format());
}

// ---- Derived groups -----------------------------------------------------------------------------

class fetch_errors : public exception_group {
 public:
  fetch_errors(std::string host, std::vector<error_entry> exceptions)
      : exception_group("fetch of " + host, std::move(exceptions)), host_(std::move(host)) {}

  const std::string& host() const { return host_; }

  group_ptr derive(std::vector<error_entry> exceptions) const override {
    return std::make_shared<const fetch_errors>(host_, std::move(exceptions));
  }
  [[noreturn]] void rethrow() const override { throw *this; }

 private:
  std::string host_;
};

TEST(ExceptionGroup, ADerivedGroupIsFormattedByItsOwnName) {
  EXPECT_THAT(fetch_errors("example.org", {entry_of(1)}).format(),
              HasSubstr("fetch_errors: fetch of example.org"));
}

TEST(ExceptionGroup, ADerivedGroupStaysNestedAndIsNoLeaf) {
  const exception_group outer("outer", {entry_of(fetch_errors("a", {entry_of(1), entry_of(2)}))});
  EXPECT_EQ(outer.leaf_count(), 2u);
  EXPECT_NE(outer.exceptions().front().get_if<fetch_errors>(), nullptr);
}

TEST(ExceptionGroup, DeriveKeepsTheMessageAndTheNotes) {
  const group_ptr derived = three().with_note("a note").derive({entry_of(1)});
  EXPECT_STREQ(derived->what(), "fetch (1 sub-exception)");
  EXPECT_THAT(derived->notes(), ElementsAre("a note"));
  EXPECT_THROW(static_cast<void>(three().derive({})), usage_error);
}

TEST(ExceptionGroup, RethrowThrowsTheDynamicTypeIfThatSaysSo) {
  const group_ptr group = std::make_shared<const fetch_errors>("a", std::vector{entry_of(1)});
  EXPECT_THROW(group->rethrow(), fetch_errors);
}

// ---- Threads ------------------------------------------------------------------------------------

TEST(ExceptionGroup, MayBeUsedByManyThreadsAtOnce) {
  const exception_group group = three().with_note("a note");
  const std::string text = group.format();
  std::vector<std::jthread> threads;
  for (int i = 0; i != 4; ++i) {
    threads.emplace_back([&group, &text] {
      for (int round = 0; round != 200; ++round) {
        const exception_group copy = group;
        EXPECT_EQ(copy.leaves().size(), 4u);
        EXPECT_EQ(group.split<int>().matching->leaf_count(), 1u);
        EXPECT_EQ(copy.with_note("another").notes().size(), 2u);
        EXPECT_EQ(group.format(), text);
      }
    });
  }
}

}  // namespace
}  // namespace coppice
