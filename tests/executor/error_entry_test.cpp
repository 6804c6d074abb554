// error_entry, which outcome.h declares; the rest of that header is outcome_test.cpp's.
#include <coppice/outcome.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice {
namespace {

using detail::add_note;
using detail::add_suppressed;
using detail::make_entry;
using testing::ElementsAre;
using testing_support::allocations;
using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;
using testing_support::live_allocations;

error_entry entry_of(const char* text) {
  return error_entry(std::make_exception_ptr(std::runtime_error(text)));
}

error_entry full_entry() {
  return make_entry(std::make_exception_ptr(std::runtime_error("boom")), task_id{12}, "fetch",
                    {"server.cpp", "serve", 34}, cancel_reason(cancel_kind::deadline, "too slow"),
                    {entry_of("first"), entry_of("second")}, {"a note", "another"});
}

TEST(ErrorEntry, AnEmptyOneKnowsNothing) {
  const error_entry entry;
  EXPECT_EQ(entry.error(), nullptr);
  EXPECT_EQ(entry.id(), task_id::none);
  EXPECT_EQ(entry.name(), "");
  EXPECT_STREQ(entry.site().file, "");
  EXPECT_EQ(entry.context(), nullptr);
  EXPECT_TRUE(entry.suppressed().empty());
  EXPECT_TRUE(entry.notes().empty());
  EXPECT_EQ(entry.type(), nullptr);
  EXPECT_EQ(entry.message(), "");
  EXPECT_EQ(entry.get_if<std::exception>(), nullptr);
}

TEST(ErrorEntry, OfAFailureAloneAllocatesNothing) {
  const auto error = std::make_exception_ptr(std::out_of_range("no such key"));
  const std::size_t before = allocations();
  const error_entry entry(error);
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(entry.error(), error);
  EXPECT_EQ(*entry.type(), typeid(std::out_of_range));
  EXPECT_EQ(entry.message(), "no such key");
  EXPECT_NE(entry.get_if<std::logic_error>(), nullptr);
  EXPECT_EQ(entry.get_if<std::runtime_error>(), nullptr);
  EXPECT_EQ(entry.name(), "");
}

TEST(ErrorEntry, HoldsAnythingThatCanBeThrown) {
  const error_entry number(std::make_exception_ptr(42));
  EXPECT_EQ(*number.get_if<int>(), 42);
  EXPECT_EQ(number.message(), "int");
  const error_entry text(std::make_exception_ptr("oops"));
  EXPECT_STREQ(*text.get_if<const char*>(), "oops");
}

TEST(ErrorEntry, KeepsAllThatIsKnown) {
  const error_entry entry = full_entry();
  EXPECT_EQ(entry.id(), task_id{12});
  EXPECT_EQ(entry.name(), "fetch");
  EXPECT_EQ(entry.site().line, 34u);
  ASSERT_NE(entry.context(), nullptr);
  EXPECT_EQ(entry.context()->message(), "too slow");
  ASSERT_EQ(entry.suppressed().size(), 2u);
  EXPECT_EQ(entry.suppressed()[1].message(), "second");
  EXPECT_THAT(entry.notes(), ElementsAre("a note", "another"));
  EXPECT_EQ(entry.message(), "boom");
}

TEST(ErrorEntry, SharesWhatIsKnownWithItsCopies) {
  std::optional<error_entry> first(full_entry());
  const std::size_t before = allocations();
  const error_entry second = *first;
  error_entry third;
  third = second;
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(second.suppressed().data(), first->suppressed().data());
  first.reset();
  EXPECT_EQ(third.name(), "fetch");
  EXPECT_EQ(third.error(), second.error());
}

TEST(ErrorEntry, MovedFromIsEmpty) {
  error_entry first = full_entry();
  const error_entry second = std::move(first);
  EXPECT_EQ(first.error(), nullptr);  // NOLINT(bugprone-use-after-move): that it may be used.
  EXPECT_EQ(first.name(), "");
  EXPECT_EQ(second.name(), "fetch");
}

TEST(ErrorEntry, WithoutMemoryIsTheBareFailureAndLeavesTheRestToBeReported) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const auto error = std::make_exception_ptr(std::runtime_error("boom"));
  std::vector<error_entry> suppressed{entry_of("first")};
  std::vector<std::string> notes{"a note"};
  const std::string name(100, 'n');
  std::size_t k = 1;
  for (bool whole = false; !whole; ++k) {
    fail_allocation_at no_memory(k, failing_threads::caller);
    const error_entry entry = make_entry(error, task_id{12}, name, {}, std::nullopt,
                                         std::move(suppressed), std::move(notes));
    no_memory.stop();
    EXPECT_EQ(entry.error(), error);
    whole = !no_memory.reached();
    EXPECT_EQ(entry.name().empty(), !whole);
    EXPECT_EQ(suppressed.size() + entry.suppressed().size(), 1u);
    EXPECT_EQ(notes.size() + entry.notes().size(), 1u);
  }
  EXPECT_GT(k, 3u) << "the record and the name ask for memory";
}

TEST(ErrorEntry, TakesMoreSuppressedFailuresAndNotesWithoutChangingItsCopies) {
  const error_entry original = full_entry();
  error_entry entry = original;
  EXPECT_TRUE(add_suppressed(entry, entry_of("third")));
  EXPECT_TRUE(add_note(entry, "late"));
  EXPECT_EQ(entry.suppressed()[2].message(), "third");
  EXPECT_THAT(entry.notes(), ElementsAre("a note", "another", "late"));
  EXPECT_EQ(entry.name(), "fetch");
  EXPECT_EQ(original.suppressed().size(), 2u);
  EXPECT_EQ(original.notes().size(), 2u);
  error_entry bare = entry_of("boom");
  EXPECT_TRUE(add_suppressed(bare, original));
  EXPECT_EQ(bare.suppressed()[0].suppressed()[0].message(), "first");
}

TEST(ErrorEntry, WithoutMemoryItStaysAsItWas) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  error_entry entry = full_entry();
  const error_entry late = entry_of("late");
  const fail_allocation_at no_memory(1, failing_threads::caller, failing_times::from_there_on);
  EXPECT_FALSE(add_suppressed(entry, late));
  EXPECT_FALSE(add_note(entry, "late"));
  EXPECT_EQ(entry.suppressed().size(), 2u);
  EXPECT_EQ(entry.notes().size(), 2u);
}

TEST(ErrorEntry, GivesItsMemoryBack) {
  const std::size_t before = live_allocations();
  {
    error_entry entry = full_entry();
    const error_entry copy = entry;
    add_note(entry, "late");
  }
  EXPECT_EQ(live_allocations(), before);
}

TEST(ErrorEntry, NeedsNoStackForDepth) {
  const auto error = std::make_exception_ptr(42);
  error_entry chain(error);
  for (int i = 0; i != 200'000; ++i) {
    std::vector<error_entry> suppressed;
    suppressed.push_back(std::move(chain));
    chain = make_entry(error, task_id::none, {}, {}, std::nullopt, std::move(suppressed), {});
  }
  chain = error_entry();
  EXPECT_EQ(chain.error(), nullptr);
}

TEST(ErrorEntry, CanBeCopiedAndDroppedByManyThreads) {
  const error_entry entry = full_entry();
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i != 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round != 3'000; ++round) {
          const error_entry copy = entry;
          error_entry moved = copy.suppressed()[0];
          moved = copy;
          wrong += moved.name() != "fetch" || moved.get_if<std::runtime_error>() == nullptr;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace coppice
