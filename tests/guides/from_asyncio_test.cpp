// What examples/guides/from_asyncio.md shows, run.
#include <coppice/coppice.h>
#include <coppice/testing.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace guides {
namespace {

using testing::ElementsAre;

// ---- Shown --------------------------------------------------------------------------------------

namespace co = coppice;
using namespace std::chrono_literals;

co::task<int> fetch(std::string symbol) {
  co_await co::sleep_for(10ms);
  if (symbol.empty()) {
    throw std::invalid_argument("no symbol");
  }
  co_return static_cast<int>(symbol.size());
}

co::task<int> total() {
  int sum = 0;
  co_await co::with_group([&](co::task_group& group) -> co::task<> {
    const co::task_handle<int> one = group.spawn(fetch("ABC"));
    const co::task_handle<int> other = group.spawn({.name = "long"}, fetch("ABCDE"));
    sum = co_await one + co_await other;
  });
  co_return sum;
}

co::task<std::vector<std::string>> what_went_wrong() {
  std::vector<std::string> said;
  try {
    co_await co::with_group([](co::task_group& group) -> co::task<> {
      group.spawn(fetch(""));
      group.spawn(fetch("ABC"));
      co_return;
    });
  } catch (const co::exception_group& failures) {
    failures
        .handle<std::invalid_argument>(
            [&](const std::invalid_argument& error) { said.push_back(error.what()); })
        .rethrow_rest();
  }
  co_return said;
}

co::task<std::optional<int>> in_time(co::duration limit) {
  co_return co_await co::move_on_after(limit, fetch("ABC"));
}

co::task<int> or_timeout_error(co::duration limit) {
  co_return co_await co::with_timeout(limit, fetch("ABC"));
}

co::task<> with_lock_file(std::vector<std::string>& log) {
  log.push_back("locked");
  const auto unlock = [&log]() -> co::task<> {
    co_await co::sleep_for(1ms);  // May await, also while its task is being cancelled.
    log.push_back("unlocked");
  };
  co_await co::on_exit(unlock);
  co_await co::sleep_for(1h);
}

co::task<std::string> give_up(co::task<int> work) {
  const co::outcome<int> end = co_await co::as_result(std::move(work));
  if (end.cancelled()) {
    co_return "stopped: " + std::string(end.reason().message());
  }
  co_return std::to_string(end.get());
}

co::task<int> commit_after(co::duration delay) {
  const auto commit = [&]() -> co::task<int> {
    co_await co::sleep_for(delay);
    co_return 1;
  };
  co_return co_await co::shield(commit);
}

co::task<std::size_t> count_lines(std::string file) {
  const auto count = [&] {
    std::ifstream from(file);
    std::size_t lines = 0;
    for (std::string line; std::getline(from, line);) {
      ++lines;
    }
    return lines;
  };
  co_return co_await co::spawn_blocking(count);
}

const co::task_local<std::string> request_id;

co::task<std::string> handle_request() {
  co_return co_await request_id.with(
      "r-17", []() -> co::task<std::string> { co_return "for " + request_id.value_or("nobody"); });
}

co::task<> produce(co::channel<int>& to) {
  for (int i = 0; i != 3; ++i) {
    co_await to.send(i);
  }
  to.close();
}

co::task<std::vector<int>> consume(co::channel<int>& from) {
  std::vector<int> all;
  while (const std::optional<int> item = co_await from.receive()) {
    all.push_back(*item);
  }
  co_return all;
}

// ---- Run ----------------------------------------------------------------------------------------

class FromAsyncio : public testing::TestWithParam<unsigned> {
 protected:
  co::test_runtime rt_{co::test_options{.workers = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Workers, FromAsyncio, testing::Values(1u, 2u, 4u));

TEST_P(FromAsyncio, GroupsGiveResultsAndThrowAllFailures) {
  EXPECT_EQ(rt_.block_on(total()), 8);
  EXPECT_THAT(rt_.block_on(what_went_wrong()), ElementsAre("no symbol"));
}

TEST_P(FromAsyncio, TimeLimits) {
  EXPECT_EQ(rt_.block_on(in_time(1s)), 3);
  EXPECT_EQ(rt_.block_on(in_time(1ms)), std::nullopt);
  EXPECT_EQ(rt_.block_on(or_timeout_error(1s)), 3);
  EXPECT_THROW(rt_.block_on(or_timeout_error(1ms)), co::timeout_error);
}

TEST_P(FromAsyncio, CleanupsThatAwait) {
  std::vector<std::string> log;
  rt_.block_on(
      [&]() -> co::task<> { EXPECT_FALSE(co_await co::move_on_after(10ms, with_lock_file(log))); });
  EXPECT_THAT(log, ElementsAre("locked", "unlocked"));
}

TEST_P(FromAsyncio, AStopIsNoException) {
  rt_.block_on([&]() -> co::task<> {
    EXPECT_EQ(co_await give_up(fetch("ABC")), "3");
    std::string said;
    co_await co::with_scope([&](co::cancel_scope& scope) -> co::task<> {
      scope.cancel("never mind");
      said = co_await give_up(fetch("ABC"));
    });
    EXPECT_EQ(said, "stopped: never mind");
    EXPECT_EQ(co_await co::move_on_after(1ms, commit_after(5ms)), 1);
  });
}

TEST_P(FromAsyncio, ThreadsContextChannels) {
  rt_.block_on([&]() -> co::task<> {
    EXPECT_GT(co_await count_lines(std::string(COPPICE_ROOT) + "/README.md"), 50u);
    EXPECT_EQ(co_await handle_request(), "for r-17");
    co::channel<int> numbers(1);
    const auto [nothing, all] = co_await co::gather(produce(numbers), consume(numbers));
    EXPECT_THAT(all, ElementsAre(0, 1, 2));
  });
}

}  // namespace
}  // namespace guides
