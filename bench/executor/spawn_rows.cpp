// What does it cost to spawn a task and to wait for it, beside oneTBB's task_group?
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "bench/executor/tasks.h"

namespace bench::executor_suite {
namespace {

constexpr std::size_t at_once = 10'000;

task<std::uint64_t> one_by_one(executor& on, std::size_t count) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != count; ++i) {
    sum += co_await on.spawn(echo(i));
  }
  co_return sum;
}

task<std::uint64_t> all_at_once(executor& on, std::size_t rounds) {
  std::uint64_t sum = 0;
  std::vector<coppice::task_handle<std::uint64_t>> handles;
  handles.reserve(at_once);
  for (std::size_t round = 0; round != rounds; ++round) {
    for (std::size_t i = 0; i != at_once; ++i) {
      handles.push_back(on.spawn(echo(i)));
    }
    for (const auto& each : handles) {
      sum += co_await each;
    }
    handles.clear();
  }
  co_return sum;
}

std::uint64_t sum_below(std::size_t count) {
  return count * (count - 1) / 2;
}

numbers coppice_one_by_one(const setting& at) {
  warm_executor on(at.workers);
  const std::size_t count = at.scaled(500'000);
  on.block_on(one_by_one(on, count / 10));
  const auto begun = clock::now();
  const std::uint64_t sum = on.block_on(one_by_one(on, count));
  const double ns = ns_since(begun);
  require(sum == sum_below(count), "a task gave a wrong result");
  return numbers(ns / static_cast<double>(count));
}

numbers coppice_at_once(const setting& at) {
  warm_executor on(at.workers);
  const std::size_t rounds = at.scaled(50);
  on.block_on(all_at_once(on, rounds / 10 + 1));
  const auto begun = clock::now();
  const std::uint64_t sum = on.block_on(all_at_once(on, rounds));
  const double ns = ns_since(begun);
  require(sum == rounds * sum_below(at_once), "a task gave a wrong result");
  return numbers(ns / static_cast<double>(rounds * at_once));
}

std::uint64_t onetbb_groups(std::size_t rounds, std::size_t group_size) {
  std::uint64_t sum = 0;
  std::vector<std::uint64_t> results(group_size);
  tbb::task_group group;
  for (std::size_t round = 0; round != rounds; ++round) {
    for (std::size_t i = 0; i != group_size; ++i) {
      group.run([&results, i, round] { results[i] = i + round; });
    }
    group.wait();
    for (const std::uint64_t each : results) {
      sum += each;
    }
  }
  return sum;
}

// The same, with group_size results of a round that add up to so much more each round.
numbers onetbb(const setting& at, std::size_t rounds, std::size_t group_size) {
  tbb::task_arena arena(static_cast<int>(at.workers));
  std::uint64_t sum = 0;
  double ns = 0;
  arena.execute([&] {
    onetbb_groups(rounds / 10 + 1, group_size);
    const auto begun = clock::now();
    sum = onetbb_groups(rounds, group_size);
    ns = ns_since(begun);
  });
  require(sum == rounds * sum_below(group_size) + group_size * sum_below(rounds),
          "a task gave a wrong result");
  return numbers(ns / static_cast<double>(rounds * group_size));
}

numbers onetbb_one_by_one(const setting& at) {
  return onetbb(at, at.scaled(500'000), 1);
}
numbers onetbb_at_once(const setting& at) {
  return onetbb(at, at.scaled(50), at_once);
}

constexpr row rows[] = {
    {"spawn_join/one_by_one/coppice", 1, &coppice_one_by_one},
    {"spawn_join/one_by_one/coppice", 2, &coppice_one_by_one},
    {"spawn_join/one_by_one/onetbb", 1, &onetbb_one_by_one},
    {"spawn_join/one_by_one/onetbb", 2, &onetbb_one_by_one},
    {"spawn_join/10000_at_once/coppice", 1, &coppice_at_once},
    {"spawn_join/10000_at_once/coppice", 2, &coppice_at_once},
    {"spawn_join/10000_at_once/onetbb", 1, &onetbb_at_once},
    {"spawn_join/10000_at_once/onetbb", 2, &onetbb_at_once},
};

}  // namespace

std::span<const row> spawn_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
