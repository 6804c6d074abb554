#include <coppice/outcome.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/support/failing_new.h"

namespace coppice {
namespace {

using detail::make_entry;
using testing_support::live_allocations;

struct no_default {
  explicit no_default(int v) : value(v) {}
  int value;
};

struct throws_when_moved {
  throws_when_moved() = default;
  throws_when_moved(const throws_when_moved&) = default;
  throws_when_moved(throws_when_moved&& other) : armed(other.armed) {
    if (armed) {
      throw std::runtime_error("moved");
    }
  }
  bool armed = false;
};

error_entry entry_of(const char* text) {
  return error_entry(std::make_exception_ptr(std::runtime_error(text)));
}

error_entry full_entry() {
  return make_entry(std::make_exception_ptr(std::runtime_error("boom")), task_id{12}, "fetch",
                    {"server.cpp", "serve", 34}, cancel_reason(cancel_kind::deadline, "too slow"),
                    {entry_of("first"), entry_of("second")}, {"a note", "another"});
}

template <class T>
std::string written(const outcome<T>& end) {
  std::ostringstream out;
  out << end;
  return out.str();
}

TEST(TaskStatus, IsWrittenAsItsEnumerator) {
  EXPECT_EQ(to_string(task_status::pending), "pending");
  EXPECT_EQ(to_string(task_status::running), "running");
  EXPECT_EQ(to_string(task_status::suspended), "suspended");
  EXPECT_EQ(to_string(task_status::completed), "completed");
  EXPECT_EQ(to_string(task_status::failed), "failed");
  EXPECT_EQ(to_string(task_status::cancelled), "cancelled");
}

TEST(Outcome, OfAValueIsCompleted) {
  const outcome<int> end = 42;
  EXPECT_EQ(end.status(), task_status::completed);
  EXPECT_TRUE(end.completed());
  EXPECT_FALSE(end.failed());
  EXPECT_FALSE(end.cancelled());
  EXPECT_TRUE(end);
  EXPECT_EQ(end.get(), 42);
  EXPECT_EQ(end.error(), nullptr);
  EXPECT_EQ(end.entry().error(), nullptr);
  EXPECT_EQ(end.value_or(7), 42);
}

TEST(Outcome, OfAFailureThrowsIt) {
  const auto end = outcome<int>::failed_with(full_entry());
  EXPECT_EQ(end.status(), task_status::failed);
  EXPECT_TRUE(end.failed());
  EXPECT_FALSE(end);
  EXPECT_THROW(end.get(), std::runtime_error);
  EXPECT_EQ(end.error(), end.entry().error());
  EXPECT_EQ(end.entry().name(), "fetch");
  EXPECT_EQ(end.value_or(7), 7);
}

TEST(Outcome, OfACancellationThrowsTaskCancelled) {
  const auto end = outcome<int>::cancelled_with({cancel_kind::deadline, "too slow"});
  EXPECT_EQ(end.status(), task_status::cancelled);
  EXPECT_TRUE(end.cancelled());
  EXPECT_EQ(end.reason().message(), "too slow");
  EXPECT_EQ(end.error(), nullptr);
  EXPECT_EQ(end.value_or(7), 7);
  try {
    static_cast<void>(end.get());
    FAIL();
  } catch (const task_cancelled& error) {
    EXPECT_EQ(error.reason().message(), "too slow");
  }
}

TEST(Outcome, FailedWithAnEmptyEntryIsAUsageError) {
  const auto end = outcome<int>::failed_with(error_entry());
  EXPECT_TRUE(end.failed());
  EXPECT_THROW(end.get(), usage_error);
  EXPECT_EQ(written(end), "failed: no exception");
}

TEST(Outcome, OfVoidHasNoValueToGet) {
  const outcome<> end = nullptr;
  EXPECT_TRUE(end.completed());
  end.get();
  outcome<>(end).get();
  static_assert(std::is_void_v<decltype(end.get())>);
  EXPECT_THROW(outcome<>::failed_with(entry_of("boom")).get(), std::runtime_error);
  EXPECT_THROW(outcome<>::cancelled_with({}).get(), task_cancelled);
}

TEST(Outcome, OfAReferenceRefers) {
  int object = 1;
  int other = 2;
  const outcome<int&> end = object;
  static_assert(std::is_same_v<decltype(end.get()), int&>);
  static_assert(std::is_same_v<decltype(outcome<int&>(object).get()), int&>);
  EXPECT_EQ(&end.get(), &object);
  EXPECT_EQ(&outcome<int&>(end).get(), &object);
  EXPECT_EQ(&end.value_or(other), &object);
  EXPECT_EQ(&outcome<int&>::cancelled_with({}).value_or(other), &other);
  const outcome<const int&> constant = object;
  static_assert(std::is_same_v<decltype(constant.get()), const int&>);
  EXPECT_EQ(&constant.get(), &object);
}

TEST(Outcome, OfAMoveOnlyTypeIsMoveOnly) {
  using pointer = std::unique_ptr<int>;
  static_assert(!std::is_copy_constructible_v<outcome<pointer>>);
  static_assert(!std::is_copy_assignable_v<outcome<pointer>>);
  static_assert(std::is_nothrow_move_constructible_v<outcome<pointer>>);
  outcome<pointer> end = std::make_unique<int>(3);
  outcome<pointer> moved = std::move(end);
  EXPECT_EQ(*moved.get(), 3);
  const pointer value = std::move(moved).get();
  EXPECT_EQ(*value, 3);
  EXPECT_EQ(*outcome<pointer>::cancelled_with({}).value_or(std::make_unique<int>(4)), 4);
}

TEST(Outcome, NeedsNoDefaultConstructor) {
  outcome<no_default> end = no_default(3);
  EXPECT_EQ(end.get().value, 3);
  end = outcome<no_default>::failed_with(entry_of("boom"));
  EXPECT_TRUE(end.failed());
  end = no_default(4);
  EXPECT_EQ(end.get().value, 4);
  static_assert(!std::is_default_constructible_v<outcome<no_default>>);
}

TEST(Outcome, CanBeMadeInPlace) {
  const outcome<std::string> end(std::in_place, 3u, 'x');
  EXPECT_EQ(end.get(), "xxx");
  std::optional<outcome<no_default>> cell;
  cell.emplace(std::in_place, 3);
  EXPECT_EQ(cell->get().value, 3);
  cell.emplace(detail::failed_tag(), entry_of("boom"));
  EXPECT_TRUE(cell->failed());
  cell.emplace(detail::cancelled_tag(), cancel_reason("too slow"));
  EXPECT_TRUE(cell->cancelled());
  const outcome<> done(std::in_place);
  EXPECT_TRUE(done.completed());
}

TEST(Outcome, CanHoldAnOutcome) {
  const outcome<outcome<int>> end = outcome<int>(3);
  EXPECT_EQ(end.get().get(), 3);
  const auto inner_failed = outcome<outcome<int>>(outcome<int>::failed_with(entry_of("boom")));
  EXPECT_TRUE(inner_failed.completed());
  EXPECT_TRUE(inner_failed.get().failed());
}

template <class T>
std::vector<outcome<T>> one_of_each(T value) {
  return {outcome<T>(value), outcome<T>::failed_with(full_entry()),
          outcome<T>::cancelled_with("too slow")};
}

template <class T>
bool same(const outcome<T>& a, const outcome<T>& b) {
  return a.status() == b.status() && a.error() == b.error() &&
         a.reason().message() == b.reason().message() && (!a.completed() || a.get() == b.get());
}

TEST(Outcome, EveryOneCanBeAssignedToEveryOther) {
  const auto all = one_of_each(std::string(100, 'x'));
  for (const auto& from : all) {
    for (const auto& to : all) {
      outcome<std::string> copied = to;
      copied = from;
      EXPECT_TRUE(same(copied, from));
      outcome<std::string> moved = to;
      outcome<std::string> source = from;
      moved = std::move(source);
      EXPECT_TRUE(same(moved, from));
      EXPECT_EQ(source.status(),
                from.status());  // NOLINT(bugprone-use-after-move): that it may be used.
    }
    outcome<std::string> self = from;
    const outcome<std::string>& alias = self;
    self = alias;
    EXPECT_TRUE(same(self, from));
  }
}

TEST(Outcome, WhoseValueThrowsWhenMovedIsLeftCancelled) {
  static_assert(!std::is_nothrow_move_constructible_v<outcome<throws_when_moved>>);
  outcome<throws_when_moved> from(std::in_place);
  outcome<throws_when_moved> to(std::in_place);
  to = std::move(from);
  EXPECT_TRUE(to.completed());
  const throws_when_moved armed_value = [] {
    throws_when_moved made;
    made.armed = true;
    return made;
  }();
  outcome<throws_when_moved> armed(std::in_place, armed_value);
  EXPECT_THROW(to = std::move(armed), std::runtime_error);
  EXPECT_TRUE(to.cancelled());
}

TEST(Outcome, GivesItsMemoryBack) {
  const std::size_t before = live_allocations();
  {
    auto all = one_of_each(std::string(100, 'x'));
    all.insert(all.end(), all.begin(), all.begin() + 1);
    const std::string value = std::move(all.front()).get();
  }
  EXPECT_EQ(live_allocations(), before);
}

TEST(Outcome, MayBeReadByManyThreads) {
  const auto all = one_of_each(std::string(100, 'x'));
  std::vector<std::jthread> threads;
  for (int i = 0; i != 3; ++i) {
    threads.emplace_back([&all] {
      for (int round = 0; round != 500; ++round) {
        for (const auto& each : all) {
          const auto copy = each;
          EXPECT_TRUE(same(copy, each));
        }
        EXPECT_THROW(all[1].get(), std::runtime_error);
      }
    });
  }
}

TEST(Outcome, IsWrittenInAWordAndWhy) {
  EXPECT_EQ(written(outcome<int>(3)), "completed");
  EXPECT_EQ(written(outcome<>(nullptr)), "completed");
  EXPECT_EQ(written(outcome<int>::failed_with(entry_of("boom"))), "failed: boom");
  EXPECT_EQ(written(outcome<int>::failed_with(error_entry(std::make_exception_ptr(42)))),
            "failed: int");
  EXPECT_EQ(written(outcome<int>::cancelled_with({cancel_kind::deadline, "too slow"})),
            "cancelled: deadline: too slow");
}

}  // namespace
}  // namespace coppice
