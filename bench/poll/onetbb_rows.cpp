// The same with oneTBB: levels are task groups in one another, each with a context of its own.
#include <oneapi/tbb/task_group.h>

#include "bench/poll/polls.h"

namespace bench::poll_suite {
namespace {

// How each form is measured inside a group's task.
using measured_form = numbers (*)(const setting& at, tbb::task_group_context& context);

numbers poll_token(const setting& at, tbb::task_group_context& context) {
  return time_polls(at, [&context] { return context.is_group_execution_cancelled(); });
}

numbers poll_by_call(const setting& at, tbb::task_group_context&) {
  return time_polls(at, [] { return tbb::is_current_task_group_canceling(); });
}

template <measured_form Form>
numbers undisturbed(const setting& at) {
  numbers result;
  bool seen = false;
  tbb::task_group_context context;
  tbb::task_group group(context);
  group.run_and_wait([&] {
    result = Form(at, context);
    group.cancel();
    seen = context.is_group_execution_cancelled() && tbb::is_current_task_group_canceling();
  });
  require(seen, "a poll did not see the cancel of its group");
  return result;
}

template <measured_form Form>
numbers in_storm(const setting& at) {
  const auto cancel_one = [] {
    tbb::task_group_context one;
    one.cancel_group_execution();
  };
  return measure_in_storm(cancel_one, [&at] { return undisturbed<Form>(at); });
}

void poll_below(sighting& one, std::size_t depth) {
  if (depth == 1) {
    one.look([] { return tbb::is_current_task_group_canceling(); });
    return;
  }
  tbb::task_group level;
  level.run_and_wait([&one, depth] { poll_below(one, depth - 1); });
}

ticks cancel_above(std::size_t depth, std::minstd_rand& random) {
  sighting one;
  tbb::task_group outermost;
  std::jthread poller =
      run_beside([&] { outermost.run_and_wait([&] { poll_below(one, depth); }); });
  while (!one.polling()) {
  }
  one.cancel(random, [&outermost] { outermost.cancel(); });
  poller.join();
  return one.took();
}

template <std::size_t Depth>
numbers seen(const setting& at) {
  return time_sightings(at, [](std::minstd_rand& random) { return cancel_above(Depth, random); });
}

constexpr row rows[] = {
    {"onetbb/token", 1, &undisturbed<&poll_token>},
    {"onetbb/call", 1, &undisturbed<&poll_by_call>},
    {"onetbb/storm_token", 2, &in_storm<&poll_token>},
    {"onetbb/storm_call", 2, &in_storm<&poll_by_call>},
    {"onetbb/seen_1", 2, &seen<1>},
    {"onetbb/seen_100", 2, &seen<100>},
    {"onetbb/seen_1000", 2, &seen<1'000>},
};

}  // namespace

std::span<const row> onetbb_rows() noexcept {
  return rows;
}

}  // namespace bench::poll_suite
