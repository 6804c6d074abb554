#include <coppice/awaitable.h>
#include <coppice/executor.h>

#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <coroutine>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace coppice {
namespace {

struct ready_awaiter {
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return 3; }
};

struct with_member {
  ready_awaiter operator co_await() const noexcept { return {}; }
};

struct with_free {};
ready_awaiter operator co_await(with_free) noexcept {
  return {};
}

struct not_awaitable {
  bool await_ready();
};

static_assert(std::same_as<awaited_t<ready_awaiter>, int>);
static_assert(std::same_as<awaited_t<with_member>, int>);
static_assert(std::same_as<awaited_t<with_free>, int>);
static_assert(std::same_as<awaited_t<std::suspend_always>, void>);
static_assert(std::same_as<awaited_t<task<std::string>>, std::string>);
static_assert(std::same_as<awaited_t<decltype(yield())>, void>);
static_assert(!awaitable<not_awaitable> && !awaitable<int> && !awaitable<task<int>&>);

// What a compiler that destroys temporaries twice must refuse, and what it need not.
struct owning_aggregate {
  std::string text;
};
struct trivial_aggregate {
  int n;
};
struct constructed {
  explicit constructed(std::string t) : text(std::move(t)) {}
  std::string text;
};
using trivial = decltype([](int) {});
using owning = decltype([text = std::string("x")](int) {});

static_assert(detail::safe_closure<trivial> && detail::safe_closure<owning&>);
static_assert(detail::safe_closure<owning> == detail::temporaries_live_once);
static_assert(detail::safe_closure<moved_ref<owning>> && detail::safe_closure<task<int>>);
static_assert(detail::safe_value<trivial_aggregate> && detail::safe_value<constructed> &&
              detail::safe_value<owning_aggregate&>);
static_assert(detail::safe_value<owning_aggregate> == detail::temporaries_live_once);
#if defined(__clang__)
static_assert(detail::temporaries_live_once);
#elif __GNUC__ == 12
static_assert(!detail::temporaries_live_once);
#endif

static_assert(std::same_as<detail::body_value_t<task<int>>, int>);
static_assert(std::same_as<detail::body_value_t<task<int> (*)()>, int>);
static_assert(std::same_as<detail::body_value_t<task<int> (*)(char), char>, int>);
static_assert(std::same_as<detail::body_value_t<task<int> (*)(), char>, int>);

TEST(Moved, RefersToTheVeryObject) {
  std::string text = "x";
  EXPECT_EQ(&moved(text).get(), &text);
  int calls = 0;
  auto counting = [&](int by) { return calls += by; };
  EXPECT_EQ(moved(counting)(2), 2);
  EXPECT_EQ(calls, 2);
}

TEST(Awaitable, OfAnotherKindCanBeAwaitedByATask) {
  executor tasks({.threads = 1});
  const int sum = tasks.block_on([]() -> task<int> {
    const int a = co_await ready_awaiter{};
    const int b = co_await with_member{};
    const int c = co_await with_free{};
    co_await std::suspend_never{};
    co_return a + b + c;
  });
  EXPECT_EQ(sum, 9);
}

}  // namespace
}  // namespace coppice
