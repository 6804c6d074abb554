// group_handler, which exception_group.h declares; the rest of that header is
// exception_group_test.cpp's.
#include <coppice/exception_group.h>
#include <coppice/runtime.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/failing_new.h"
#include "tests/support/groups.h"
#include "tests/support/report_log.h"

namespace coppice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::entry_of;
using testing_support::group_entry;
using testing_support::outline;
using testing_support::report_log;

exception_group tree() {
  return exception_group("root",
                         {entry_of(std::out_of_range("a")), entry_of(1),
                          group_entry("inner", {entry_of(2), entry_of(std::runtime_error("b"))})});
}

void ignore_int(int) {}
void ignore(const std::exception&) {}

// What the destructor of a handler reports in a task that does this.
template <class Body>
std::vector<error_report> reports_of(const Body& body) {
  report_log log;
  runtime rt({.threads = 1});
  rt.set_error_handler(log.handler());
  rt.block_on([&body]() -> task<> {
    body();
    co_return;
  });
  return log.take();
}

// ---- Who gets what ------------------------------------------------------------------------------

TEST(GroupHandler, EachMatchingLeafIsHandledDepthFirst) {
  std::vector<int> seen;
  const group_ptr rest = tree().handle<int>([&](int n) { seen.push_back(n); }).rest();
  EXPECT_THAT(seen, ElementsAre(1, 2));
  EXPECT_EQ(outline(rest), "root[a, inner[b]]");
}

TEST(GroupHandler, ALeafGoesToTheFirstThatMatches) {
  std::vector<std::string> seen;
  const group_ptr rest =
      tree()
          .handle<std::logic_error>(
              [&](const std::logic_error& e) { seen.push_back(std::string("logic ") + e.what()); })
          .handle<std::exception>(
              [&](const std::exception& e) { seen.push_back(std::string("any ") + e.what()); })
          .handle<std::out_of_range>([&](const std::out_of_range&) { seen.emplace_back("late"); })
          .rest();
  EXPECT_THAT(seen, ElementsAre("logic a", "any b"));
  EXPECT_EQ(outline(rest), "root[int, inner[int]]");
}

TEST(GroupHandler, AHandlerMayTakeTheEntryToo) {
  const error_entry known = detail::make_entry(std::make_exception_ptr(1), task_id{12}, "fetch", {},
                                               std::nullopt, {}, {});
  std::string name;
  exception_group("one", {known})
      .handle<int>([&](const int& n, const error_entry& from) {
        EXPECT_EQ(n, 1);
        name = from.name();
      })
      .rethrow_rest();
  EXPECT_EQ(name, "fetch");
}

TEST(GroupHandler, TakesFunctionsAndObjectsByReferenceAndByValue) {
  struct counting {
    int calls = 0;
    void operator()(const std::exception&) { ++calls; }
  } counted;
  EXPECT_EQ(tree().handle<int>(ignore_int).handle<std::exception>(counted).rest(), nullptr);
  EXPECT_EQ(counted.calls, 2);
  EXPECT_EQ(tree()
                .handle<int>([kept = std::make_unique<int>()](auto) {})
                .handle<std::exception>(&ignore)
                .rest(),
            nullptr);
}

TEST(GroupHandler, APointerIsHandledAsItsBasesPointer) {
  static std::runtime_error object("pointed at");
  std::string text;
  exception_group("one", {entry_of(&object)})
      .handle<std::exception*>([&](const std::exception* e) { text = e->what(); })
      .rethrow_rest();
  EXPECT_EQ(text, "pointed at");
}

TEST(GroupHandler, OwnsWhatItNeedsOfTheGroup) {
  auto group = std::make_unique<exception_group>(tree());
  group_handler chain = group->handle<int>(ignore_int);
  group.reset();
  group_handler moved = std::move(chain);
  EXPECT_EQ(outline(std::move(moved).handle<std::logic_error>(ignore).rest()), "root[inner[b]]");
}

TEST(GroupHandler, WhatWasMovedFromHasNoLeaves) {
  group_handler chain = tree().handle<int>(ignore_int);
  group_handler moved = std::move(chain);
  EXPECT_EQ(std::move(chain).handle<std::exception>(ignore).rest(), nullptr);
  EXPECT_EQ(outline(std::move(moved).rest()), "root[a, inner[b]]");
}

// ---- The rest -----------------------------------------------------------------------------------

TEST(GroupHandler, RethrowRestThrowsTheUnhandledLeavesInTheirPlaces) {
  try {
    tree().with_note("a note").handle<int>(ignore_int).rethrow_rest();
    ADD_FAILURE() << "there was a rest";
  } catch (const exception_group& rest) {
    EXPECT_EQ(outline(rest), "root[a, inner[b]]");
    EXPECT_THAT(rest.notes(), ElementsAre("a note"));
  }
}

TEST(GroupHandler, RethrowRestReturnsIfAllIsHandled) {
  tree().handle<int>(ignore_int).handle<std::exception>(ignore).rethrow_rest();
}

TEST(GroupHandler, IfNothingMatchesTheGroupIsTheRest) {
  const exception_group group = tree();
  const group_ptr rest = group.handle<double>([](double) {}).rest();
  EXPECT_EQ(rest->exceptions().data(), group.exceptions().data());
}

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

TEST(GroupHandler, ADerivedGroupKeepsItsType) {
  try {
    numbered(7, {entry_of(1), entry_of(std::string("s"))}).handle<int>(ignore_int).rethrow_rest();
    ADD_FAILURE() << "there was a rest";
  } catch (const numbered& rest) {
    EXPECT_EQ(rest.number(), 7);
    EXPECT_EQ(rest.leaf_count(), 1u);
  }
}

// ---- Handlers that throw ------------------------------------------------------------------------

TEST(GroupHandler, WhatAHandlerThrowsLeavesWithTheRest) {
  const group_ptr rest =
      tree().handle<int>([](int n) { throw std::string(n == 1 ? "one" : "two"); }).rest();
  EXPECT_EQ(outline(rest),
            "failures while handling \"root\"[root[a, inner[b]], std::string, std::string]");
  EXPECT_EQ(*rest->exceptions()[1].get_if<std::string>(), "one");
  EXPECT_EQ(*rest->exceptions()[2].get_if<std::string>(), "two");
}

TEST(GroupHandler, WhatAHandlerThrowsStandsAloneIfThereIsNoRest) {
  const exception_group group("", {entry_of(1)});
  const group_ptr rest = group.handle<int>([](int) { throw std::runtime_error("x"); }).rest();
  EXPECT_EQ(outline(rest), "failures while handling a group[x]");
}

TEST(GroupHandler, TheLeafIsASuppressedFailureOfWhatItsHandlerThrew) {
  const exception_group group("one", {entry_of(1)});
  const group_ptr rest = group.handle<int>([](int) { throw std::runtime_error("x"); }).rest();
  const error_entry& thrown = rest->exceptions().front();
  ASSERT_EQ(thrown.suppressed().size(), 1u);
  EXPECT_EQ(thrown.suppressed().front().error(), group.exceptions().front().error());
}

TEST(GroupHandler, WhatAHandlerThrowsIsOfferedToNoHandler) {
  const group_ptr rest = tree()
                             .handle<int>([](int) { throw std::runtime_error("x"); })
                             .handle<std::exception>(ignore)
                             .rest();
  EXPECT_EQ(outline(rest), "failures while handling \"root\"[x, x]");
}

TEST(GroupHandler, AGroupThatAHandlerThrowsStaysNested) {
  const exception_group group("one", {entry_of(1)});
  const group_ptr rest = group.handle<int>([](int) { throw tree(); }).rest();
  EXPECT_EQ(rest->leaf_count(), 4u);
}

TEST(GroupHandler, ALeafThatIsThrownAgainStaysInItsPlaceAndIsOfferedNoMore) {
  int offered = 0;
  const group_ptr rest = tree()
                             .handle<int>([](int n, const error_entry& from) {
                               if (n == 2) {
                                 std::rethrow_exception(from.error());
                               }
                             })
                             .handle<int>([&](int) { ++offered; })
                             .rest();
  EXPECT_EQ(outline(rest), "root[a, inner[int, b]]");
  EXPECT_EQ(offered, 0);
}

TEST(GroupHandler, ThrowInACatchBlockLeavesTheLeafInItsPlace) {
  const auto again = [](int) { throw; };
  const auto throw_again = [&again](const auto& thrown) {
    try {
      throw thrown;
    } catch (const exception_group& group) {
      return group.handle<int>(again).template handle<std::exception>(ignore).rest();
    }
  };
  EXPECT_EQ(outline(throw_again(tree())), "root[int, inner[int]]");
  EXPECT_EQ(outline(throw_again(numbered(7, {entry_of(1), entry_of(std::runtime_error("a"))}))),
            "numbered[int]");
}

// ---- What is forgotten --------------------------------------------------------------------------

TEST(GroupHandler, AForgottenRestIsReportedOnceAsAGroup) {
  const std::vector<error_report> reports =
      reports_of([] { static_cast<void>(tree().handle<int>(ignore_int)); });
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].origin, error_origin::suppressed);
  EXPECT_EQ(outline(*reports[0].entry.get_if<exception_group>()), "root[a, inner[b]]");
  EXPECT_EQ(reports[0].entry.name(), "main");
}

TEST(GroupHandler, AForgottenRestHoldsWhatHandlersThrew) {
  const std::vector<error_report> reports = reports_of([] {
    static_cast<void>(exception_group("one", {entry_of(1)}).handle<int>([](int) {
      throw std::runtime_error("x");
    }));
  });
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(outline(*reports[0].entry.get_if<exception_group>()),
            "failures while handling \"one\"[x]");
}

TEST(GroupHandler, AForgottenDerivedGroupIsReportedWithItsType) {
  const std::vector<error_report> reports = reports_of(
      [] { static_cast<void>(numbered(7, {entry_of(1)}).handle<double>([](double) {})); });
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].entry.get_if<numbered>(), nullptr);
}

TEST(GroupHandler, NothingIsReportedIfNothingIsLeftOrItWasTaken) {
  EXPECT_THAT(reports_of([] {
                static_cast<void>(tree().handle<int>(ignore_int).handle<std::exception>(ignore));
                static_cast<void>(tree().handle<int>(ignore_int).rest());
                EXPECT_THROW(tree().handle<int>(ignore_int).rethrow_rest(), exception_group);
              }),
              IsEmpty());
}

TEST(GroupHandler, OutsideATaskAForgottenRestIsPrinted) {
  testing::internal::CaptureStderr();
  static_cast<void>(tree().handle<int>(ignore_int));
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("(suppressed)"));
  EXPECT_THAT(text, HasSubstr("std::runtime_error: b"));
}

class ungrateful : public exception_group {
 public:
  using exception_group::exception_group;
  group_ptr derive(std::vector<error_entry> exceptions) const override {
    if (exceptions.size() == 1) {
      throw std::logic_error("no group of one");
    }
    return std::make_shared<const ungrateful>("ungrateful", std::move(exceptions));
  }
};

TEST(GroupHandler, IfTheRestCannotBeMadeEachLeafIsReported) {
  const std::vector<error_report> reports = reports_of([] {
    static_cast<void>(ungrateful("ungrateful", {entry_of(1), entry_of(std::runtime_error("a"))})
                          .handle<int>(ignore_int));
  });
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].entry.message(), "a");
  EXPECT_EQ(reports[0].origin, error_origin::suppressed);
  EXPECT_EQ(reports[1].entry.message(), "no group of one");
  EXPECT_EQ(reports[1].origin, error_origin::handler);
}

// ---- Memory -------------------------------------------------------------------------------------

// The leaves of the failure, and those that they suppressed.
void add_leaves(const error_entry& entry, std::set<const void*>& seen) {
  if (const auto* const group = entry.get_if<exception_group>()) {
    for (const group_leaf& leaf : group->leaves()) {
      add_leaves(leaf.entry, seen);
    }
    return;
  }
  seen.insert(detail::thrown_object(entry.error()));
  for (const error_entry& each : entry.suppressed()) {
    add_leaves(each, seen);
  }
}

// Whichever allocation fails: if a handler has been called, or the chain been made, then each leaf
// is handled, rethrown or reported.
TEST(GroupHandler, WithoutMemoryNoLeafIsLost) {
  if (!testing_support::can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const exception_group group = tree();
  std::set<const void*> seen;
  const auto see = [&seen](const error_entry& entry) {
    const testing_support::spare_allocations spared;
    add_leaves(entry, seen);
  };
  std::set<const void*> all;
  add_leaves(entry_of(group), all);
  ASSERT_EQ(all.size(), 4u);
  runtime rt({.threads = 1});
  rt.set_error_handler([&](const error_report& report) { see(report.entry); });
  const auto scenario = [&](auto&) {
    seen.clear();
    try {
      group.handle<std::logic_error>([&](const auto&, const error_entry& leaf) { see(leaf); })
          .template handle<int>([](int n) { throw n == 1 ? "one" : "two"; })
          .rethrow_rest();
    } catch (const std::bad_alloc&) {
    } catch (const exception_group& rest) {
      see(error_entry(std::current_exception()));
      const testing_support::spare_allocations spared;
      EXPECT_EQ(outline(rest).substr(0, 8), "failures");
    }
    for (const void* each : all) {
      EXPECT_TRUE(seen.empty() || seen.contains(each));
    }
  };
  rt.block_on([&scenario]() -> task<> {
    EXPECT_GT(testing_support::for_each_failing_allocation(
                  scenario, testing_support::failing_threads::caller),
              10u);
    EXPECT_GT(testing_support::for_each_failing_allocation(
                  scenario, testing_support::failing_threads::caller,
                  testing_support::failing_times::from_there_on),
              10u);
    co_return;
  });
}

}  // namespace
}  // namespace coppice
