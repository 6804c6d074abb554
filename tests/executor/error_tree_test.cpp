#include <coppice/detail/error_tree.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace coppice::detail {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// A failure of several, in the least that printing asks for.
class several : public error_tree {
 public:
  explicit several(std::vector<error_entry> branches, std::vector<std::string> notes = {})
      : state_(std::make_shared<const state>(state{std::move(branches), std::move(notes)})) {}

  const char* what() const noexcept override { return "several"; }
  std::span<const error_entry> branches() const noexcept override { return state_->branches; }
  std::span<const std::string> tree_notes() const noexcept override { return state_->notes; }

 private:
  struct state {
    std::vector<error_entry> branches;
    std::vector<std::string> notes;
  };
  std::shared_ptr<const state> state_;
};

error_entry entry_of(const std::string& text, std::vector<error_entry> suppressed = {}) {
  return make_entry(std::make_exception_ptr(std::runtime_error(text)), task_id::none, {}, {},
                    std::nullopt, std::move(suppressed), {});
}

error_entry tree_of(std::vector<error_entry> branches, std::vector<std::string> notes = {}) {
  return error_entry(std::make_exception_ptr(several(std::move(branches), std::move(notes))));
}

std::string printed(const error_entry& entry, int indent = 0, std::size_t max_leaves = 50) {
  std::ostringstream out;
  print_entry(out, entry, indent, max_leaves);
  return out.str();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++times;
  }
  return times;
}

TEST(ErrorTree, AFailureThatKnowsNothingIsOneLine) {
  EXPECT_EQ(printed(entry_of("boom")), "| std::runtime_error: boom\n");
  EXPECT_EQ(printed(error_entry(std::make_exception_ptr(42))), "| int: 42\n");
  EXPECT_EQ(printed(error_entry()), "| no exception\n");
}

TEST(ErrorTree, EveryFactHasItsLine) {
  const error_entry entry =
      make_entry(std::make_exception_ptr(std::runtime_error("boom")), task_id{12}, "fetch",
                 {"server.cpp", "serve", 34},
                 cancel_reason(cancel_kind::deadline, "too slow", {"a.cpp", "f", 5}),
                 {entry_of("the file is closed")}, {"third attempt"});
  EXPECT_EQ(printed(entry, 2),
            "  | std::runtime_error: boom\n"
            "  | in task 12 \"fetch\", spawned at server.cpp:34 (serve)\n"
            "  | note: third attempt\n"
            "  | while being cancelled because deadline: too slow (at a.cpp:5)\n"
            "  +- suppressed 1 of 1\n"
            "    | std::runtime_error: the file is closed\n");
}

TEST(ErrorTree, WhatIsNotKnownIsLeftOut) {
  const auto only = [](task_id id, std::string_view name, source_site site) {
    return printed(make_entry(std::make_exception_ptr(42), id, name, site, std::nullopt, {}, {}));
  };
  EXPECT_EQ(only(task_id{3}, "", {}), "| int: 42\n| in task 3\n");
  EXPECT_EQ(only(task_id::none, "fetch", {}), "| int: 42\n| in task \"fetch\"\n");
  EXPECT_EQ(only(task_id::none, "", {"a.cpp", "", 5}),
            "| int: 42\n| in a task, spawned at a.cpp:5\n");
  EXPECT_EQ(only(task_id{3}, "", {"a.cpp", nullptr, 5}),
            "| int: 42\n| in task 3, spawned at a.cpp:5\n");
}

TEST(ErrorTree, ATextOfSeveralLinesStaysInItsPlace) {
  EXPECT_EQ(printed(entry_of("one\ntwo\n\nthree\n"), 2),
            "  | std::runtime_error: one\n"
            "  | two\n"
            "  | \n"
            "  | three\n");
}

TEST(ErrorTree, BranchesStandBelowTheirTreeInOrder) {
  const error_entry entry =
      tree_of({entry_of("first"), tree_of({entry_of("inner")}), entry_of("last")}, {"a note"});
  EXPECT_THAT(printed(entry),
              EndsWith("several: several\n"
                       "| note: a note\n"
                       "+- 1 of 3\n"
                       "  | std::runtime_error: first\n"
                       "+- 2 of 3\n"
                       "  | coppice::detail::(anonymous namespace)::several: several\n"
                       "  +- 1 of 1\n"
                       "    | std::runtime_error: inner\n"
                       "+- 3 of 3\n"
                       "  | std::runtime_error: last\n"));
}

TEST(ErrorTree, SuppressedFailuresStandBehindTheBranchesAndMayHaveTheirOwn) {
  const error_entry entry =
      make_entry(std::make_exception_ptr(several({entry_of("branch")})), task_id::none, {}, {},
                 std::nullopt, {entry_of("late", {entry_of("later")})}, {});
  EXPECT_THAT(printed(entry), EndsWith("+- 1 of 1\n"
                                       "  | std::runtime_error: branch\n"
                                       "+- suppressed 1 of 1\n"
                                       "  | std::runtime_error: late\n"
                                       "  +- suppressed 1 of 1\n"
                                       "    | std::runtime_error: later\n"));
}

TEST(ErrorTree, BeyondTheLimitLeavesAreCounted) {
  const std::string text = printed(tree_of(std::vector<error_entry>(100, entry_of("boom"))), 0, 10);
  EXPECT_EQ(count(text, "boom"), 10u);
  EXPECT_THAT(text, EndsWith("+- and 90 more not shown\n"));
}

TEST(ErrorTree, NeedsNoStackForDepthAndShowsTheFirstFailureAtTheEnd) {
  error_entry entry = entry_of("at the bottom");
  for (int i = 0; i != 1'000; ++i) {
    entry = tree_of({std::move(entry)});
  }
  const std::string text = printed(entry);
  EXPECT_THAT(text, HasSubstr("at the bottom"));
  EXPECT_THAT(text, HasSubstr("the first failure, 936 levels below"));
  EXPECT_LT(text.size(), 20'000u);
}

TEST(ErrorTree, ADeepChainOfSuppressedFailuresIsCutOff) {
  error_entry entry = entry_of("at the bottom");
  for (int i = 0; i != 10'000; ++i) {
    entry = entry_of("above", {std::move(entry)});
  }
  EXPECT_LT(printed(entry).size(), 20'000u);
}

TEST(ErrorTree, FormatFlagsOfTheStreamDoNotMatter) {
  std::ostringstream out;
  out << std::hex << std::showbase;
  std::vector<error_entry> branches(17, entry_of("boom"));
  print_entry(out, make_entry(std::make_exception_ptr(several(branches)), task_id{17}, {},
                              {"a.cpp", "", 18}, std::nullopt, {}, {}));
  EXPECT_THAT(out.str(), HasSubstr("in task 17, spawned at a.cpp:18"));
  EXPECT_THAT(out.str(), HasSubstr("17 of 17"));
  EXPECT_THAT(out.str(), Not(HasSubstr("0x")));
}

}  // namespace
}  // namespace coppice::detail
