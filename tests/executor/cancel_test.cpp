#include <coppice/cancel.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice {
namespace {

using detail::reason_access;
using detail::token_access;
using detail::token_block;
using testing::HasSubstr;
using testing_support::allocations;
using testing_support::can_fail_allocations;
using testing_support::fail_allocation_at;
using testing_support::failing_threads;
using testing_support::failing_times;
using testing_support::live_allocations;

std::string written(const cancel_reason& reason) {
  std::ostringstream out;
  out << reason;
  return out.str();
}

// As scopes declare it.
cancel_reason cancel(cancel_reason reason = {}) {
  return reason;
}

TEST(CancelKind, IsWrittenAsItsEnumerator) {
  EXPECT_EQ(to_string(cancel_kind::requested), "requested");
  EXPECT_EQ(to_string(cancel_kind::deadline), "deadline");
  EXPECT_EQ(to_string(cancel_kind::sibling_failed), "sibling_failed");
  EXPECT_EQ(to_string(cancel_kind::parent_cancelled), "parent_cancelled");
  EXPECT_EQ(to_string(cancel_kind::shutdown), "shutdown");
  EXPECT_EQ(to_string(cancel_kind::fatal), "fatal");
  EXPECT_EQ(to_string(cancel_kind::misuse), "misuse");
  EXPECT_EQ(to_string(static_cast<cancel_kind>(99)), "unknown");
}

TEST(CancelReason, IsARequestWithoutTextByDefault) {
  const cancel_reason reason;
  EXPECT_EQ(reason.kind(), cancel_kind::requested);
  EXPECT_EQ(reason.message(), "");
  EXPECT_EQ(reason.by(), task_id::none);
}

TEST(CancelReason, IsMadeOfTextsAndKinds) {
  EXPECT_EQ(cancel("too slow").message(), "too slow");
  EXPECT_EQ(cancel("too slow").kind(), cancel_kind::requested);
  EXPECT_EQ(cancel(std::string_view("too slow")).message(), "too slow");
  EXPECT_EQ(cancel(cancel_kind::shutdown).kind(), cancel_kind::shutdown);
  EXPECT_EQ(cancel({cancel_kind::shutdown}).message(), "");
  EXPECT_EQ(cancel({cancel_kind::fatal, "no disk"}).message(), "no disk");
  EXPECT_EQ(cancel_reason(std::string("made of a string")).message(), "made of a string");
}

TEST(CancelReason, OfANullTextHasNone) {
  const char* const nothing = nullptr;
  EXPECT_EQ(cancel_reason(nothing).message(), "");
}

TEST(CancelReason, NamesThePlaceWhereItWasMade) {
  const cancel_reason bare;
  EXPECT_EQ(bare.where().line, __LINE__ - 1u);
  EXPECT_EQ(cancel_reason("text").where().line, unsigned{__LINE__});
  EXPECT_EQ(cancel_reason(cancel_kind::fatal).where().line, unsigned{__LINE__});
  EXPECT_STREQ(cancel_reason("text").where().function, __func__);
  EXPECT_STREQ(cancel_reason("text", {"a.cpp", "f", 3}).where().file, "a.cpp");
}

TEST(CancelReason, IsOnePointerWideAndNeverThrows) {
  static_assert(sizeof(cancel_reason) == sizeof(void*));
  static_assert(std::is_nothrow_default_constructible_v<cancel_reason>);
  static_assert(std::is_nothrow_constructible_v<cancel_reason, const char*>);
  static_assert(std::is_nothrow_copy_constructible_v<cancel_reason>);
  static_assert(std::is_nothrow_move_constructible_v<cancel_reason>);
  static_assert(std::is_nothrow_copy_assignable_v<cancel_reason>);
  static_assert(std::is_nothrow_move_assignable_v<cancel_reason>);
  static_assert(std::is_convertible_v<const char(&)[4], cancel_reason>);
  static_assert(std::is_convertible_v<cancel_kind, cancel_reason>);
  SUCCEED();
}

TEST(CancelReason, SharesItsTextWithItsCopies) {
  const std::string text(500, 'x');
  auto first = std::make_unique<cancel_reason>(std::string_view(text));
  const std::size_t before = allocations();
  const cancel_reason second = *first;
  cancel_reason third;
  third = second;
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(second.message().data(), first->message().data());
  first.reset();
  EXPECT_EQ(second.message(), text);
  EXPECT_EQ(third.message(), text);
}

TEST(CancelReason, MovedFromIsAPlainRequest) {
  cancel_reason first("too slow");
  const cancel_reason second = std::move(first);
  EXPECT_EQ(second.message(), "too slow");
  EXPECT_EQ(first.kind(),
            cancel_kind::requested);  // NOLINT(bugprone-use-after-move): that it may be used.
  EXPECT_EQ(first.message(), "");
  EXPECT_EQ(first.where().line, 0u);
  first = second;
  EXPECT_EQ(first.message(), "too slow");
}

TEST(CancelReason, SurvivesAssignmentToItself) {
  cancel_reason reason("too slow");
  const cancel_reason& same = reason;
  reason = same;
  EXPECT_EQ(reason.message(), "too slow");
}

TEST(CancelReason, OfTheDefaultArgumentAllocatesNothing) {
  const std::size_t before = allocations();
  const cancel_reason reason = cancel();
  EXPECT_EQ(allocations(), before);
}

TEST(CancelReason, WithoutMemoryIsMadeWithoutText) {
  if (!can_fail_allocations()) {
    GTEST_SKIP() << testing_support::why_none_can_fail;
  }
  const std::string text(500, 'x');
  const fail_allocation_at no_memory(1, failing_threads::caller, failing_times::from_there_on);
  const cancel_reason reason(cancel_kind::deadline, text);
  EXPECT_TRUE(no_memory.reached());
  EXPECT_EQ(reason.kind(), cancel_kind::deadline);
  EXPECT_EQ(reason.message(), "");
  EXPECT_NE(reason.where().line, 0u);
}

TEST(CancelReason, IsWrittenInOneLineWithWhatIsKnown) {
  EXPECT_EQ(written({cancel_kind::deadline, "too slow", {"server.cpp", "serve", 34}}),
            "deadline: too slow (at server.cpp:34)");
  EXPECT_EQ(written({cancel_kind::deadline, {}, {"server.cpp", "serve", 34}}),
            "deadline (at server.cpp:34)");
  EXPECT_EQ(written({cancel_kind::shutdown, "going down", source_site()}), "shutdown: going down");
  EXPECT_EQ(written(reason_access::none()), "requested");
  const auto in_a_task = [](source_site where) {
    return written(reason_access::adopt(
        detail::reason_block::make(cancel_kind::requested, "enough", task_id{7}, where)));
  };
  EXPECT_EQ(in_a_task({"main.cpp", "main", 2}), "requested: enough (by task 7, at main.cpp:2)");
  EXPECT_EQ(in_a_task({}), "requested: enough (by task 7)");
}

TEST(CancelReason, GoesThroughAPointerAndBackWithoutAllocating) {
  const std::size_t live = live_allocations();
  {
    cancel_reason reason(std::string(500, 'x'));
    const std::size_t before = allocations();
    const detail::reason_block* const block = reason_access::release(std::move(reason));
    const cancel_reason shared = reason_access::share(block);
    const cancel_reason back = reason_access::adopt(block);
    EXPECT_EQ(allocations(), before);
    EXPECT_EQ(back.message().size(), 500u);
    EXPECT_EQ(shared.message().data(), back.message().data());
  }
  EXPECT_EQ(live_allocations(), live);
}

TEST(CancelReason, OfNothingStillHasABodyToStore) {
  const detail::reason_block* const block = reason_access::release(reason_access::none());
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block->kind(), cancel_kind::requested);
  EXPECT_EQ(reason_access::share(nullptr).kind(), cancel_kind::requested);
  EXPECT_EQ(reason_access::immortal(cancel_kind::shutdown).kind(), cancel_kind::shutdown);
}

TEST(CancelReason, CanBeCopiedAndDroppedByManyThreads) {
  const cancel_reason reason(std::string(500, 'x'));
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i != 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round != 5'000; ++round) {
          const cancel_reason copy = reason;
          cancel_reason moved = copy;
          const cancel_reason last = std::move(moved);
          wrong += last.message().size() != 500;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(CancelToken, AnEmptyOneNeverStops) {
  const cancel_token token;
  EXPECT_FALSE(token.stop_requested());
  EXPECT_FALSE(token.stop_possible());
  EXPECT_EQ(token.reason().kind(), cancel_kind::requested);
  EXPECT_FALSE(token.to_std_stop_token().stop_possible());
}

TEST(CancelToken, SeesTheRequestThroughEveryCopy) {
  token_block* const block = token_block::make();
  const cancel_token token = token_access::share(block);
  const cancel_token copy = token;
  cancel_token assigned;
  assigned = copy;
  EXPECT_TRUE(assigned.stop_possible());
  EXPECT_FALSE(assigned.stop_requested());
  block->mark(reason_access::release("too slow"));
  for (const cancel_token& each : {token, copy, assigned}) {
    EXPECT_TRUE(each.stop_requested());
    EXPECT_EQ(each.reason().message(), "too slow");
    EXPECT_TRUE(each.to_std_stop_token().stop_requested());
  }
  block->drop();
}

TEST(CancelToken, OutlivesWhatItSpeaksOf) {
  token_block* const block = token_block::make();
  cancel_token token = token_access::adopt(block);
  const cancel_token last = std::move(token);
  EXPECT_FALSE(token.stop_possible());  // NOLINT(bugprone-use-after-move): that it may be used.
  token = cancel_token();
  block->mark(reason_access::release(cancel_kind::deadline));
  EXPECT_EQ(last.reason().kind(), cancel_kind::deadline);
}

TEST(CancelToken, StopsForeignCodeByItsOwnMeans) {
  token_block* const block = token_block::make();
  const cancel_token token = token_access::adopt(block);
  const std::stop_token foreign = token.to_std_stop_token();
  EXPECT_TRUE(foreign.stop_possible());
  EXPECT_FALSE(foreign.stop_requested());
  block->mark(reason_access::release(cancel_kind::deadline));
  EXPECT_TRUE(foreign.stop_requested());
}

TEST(CancelToken, IsCountedByManyThreads) {
  const std::size_t live = live_allocations();
  {
    token_block* const block = token_block::make();
    const cancel_token token = token_access::adopt(block);
    std::vector<std::jthread> threads;
    for (int i = 0; i != 3; ++i) {
      threads.emplace_back([token] {
        while (!token.stop_requested()) {
          const cancel_token copy = token;
          std::this_thread::yield();
        }
      });
    }
    block->mark(reason_access::release("enough"));
  }
  EXPECT_EQ(live_allocations(), live);
}

}  // namespace
}  // namespace coppice
