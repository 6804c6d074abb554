#include <coppice/detail/await_suspend.h>

#include <coppice/executor.h>
#include <coppice/task.h>

#include <gtest/gtest.h>

#include <coroutine>

namespace coppice {
namespace {

struct marked {
  COPPICE_AWAIT_SUSPEND int value() const noexcept { return 7; }
};

TEST(AwaitSuspend, TheMarkChangesNothingOfWhatAFunctionDoes) {
  EXPECT_EQ(marked().value(), 7);
}

// One of ours, which says where it was made and where it was awaited.
struct located : detail::own_awaitable {
  explicit located(const located*& made) noexcept { made = this; }
  located(located&&) noexcept {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
  const located* await_resume() const noexcept { return this; }
};

task<bool> awaits_where_it_was_made() {
  const located* made = nullptr;
  const located* const awaited = co_await located(made);
  co_return awaited == made;
}

TEST(AwaitSuspend, AnAwaiterOfOursIsAwaitedWhereItWasMade) {
  executor ex({.threads = 1});
  EXPECT_TRUE(ex.block_on(awaits_where_it_was_made()));
}

}  // namespace
}  // namespace coppice
