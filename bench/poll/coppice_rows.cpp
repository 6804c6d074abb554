// What does a task pay to ask whether it is to stop, and how soon does it see that it is?
#include <coppice/coppice.h>

#include "bench/poll/polls.h"

namespace bench::poll_suite {
namespace {

using coppice::cancel_scope;
using coppice::runtime;
using coppice::task;
using coppice::task_group;

coppice::options options_for(const setting& at) {
  return {.threads = at.workers, .pin = "compact", .spin = std::chrono::milliseconds(10)};
}

// ---- Polls --------------------------------------------------------------------------------------

// How each form is measured in the body of a scope.
using measured_form = numbers (*)(const setting& at, const cancel_scope& scope);

numbers poll_token(const setting& at, const cancel_scope& scope) {
  const coppice::cancel_token held = scope.token();
  return time_polls(at, [&held] { return held.stop_requested(); });
}

numbers poll_by_call(const setting& at, const cancel_scope&) {
  return time_polls(at, [] { return coppice::cancel_requested(); });
}

void require_seen(const cancel_scope& scope) {
  require(scope.token().stop_requested() && coppice::cancel_requested(),
          "a poll did not see the cancel of its scope");
}

template <measured_form Form>
numbers undisturbed(const setting& at) {
  runtime on(options_for(at));
  numbers result;
  const auto main = [&]() -> task<> {
    const auto body = [&](cancel_scope& scope) -> task<> {
      result = Form(at, scope);
      scope.cancel();
      require_seen(scope);
      co_return;
    };
    co_await coppice::with_scope(body);
  };
  on.block_on(main);
  return result;
}

// Each cancel is of a scope of its own, beside that of who polls.
task<> rage(storm& weather) {
  const auto body = [](cancel_scope& scope) -> task<> {
    scope.cancel();
    co_return;
  };
  weather.begin();
  while (weather.next()) {
    co_await coppice::with_scope(body);
  }
}

template <measured_form Form>
numbers in_storm(const setting& at) {
  runtime on(options_for(at));
  numbers result;
  const auto main = [&]() -> task<> {
    storm weather;
    const auto body = [&](task_group& group) -> task<> {
      group.spawn(rage(weather));
      while (!weather.raging()) {
        co_await coppice::yield();
      }
      {
        const storm::end_with_block end(weather);
        result = Form(at, group);
      }
      group.cancel();
      require_seen(group);
    };
    co_await coppice::with_group(body);
    weather.add_to(result);
  };
  on.block_on(main);
  return result;
}

// ---- Sightings ----------------------------------------------------------------------------------

// So many scopes in one another above who polls, of which the caller's is the first.
task<> poll_below(sighting& one, std::size_t depth) {
  if (depth == 1) {
    one.look([] { return coppice::cancel_requested(); });
    co_return;
  }
  const auto body = [&one, depth] { return poll_below(one, depth - 1); };
  co_await coppice::with_scope(body);
}

task<ticks> cancel_above(std::size_t depth, std::minstd_rand& random) {
  sighting one;
  const auto body = [&](task_group& group) -> task<> {
    group.spawn(poll_below(one, depth));
    while (!one.polling()) {
      co_await coppice::yield();
    }
    one.cancel(random, [&group] { group.cancel(); });
  };
  co_await coppice::with_group(body);
  co_return one.took();
}

template <std::size_t Depth>
numbers seen(const setting& at) {
  runtime on(options_for(at));
  return time_sightings(
      at, [&](std::minstd_rand& random) { return on.block_on(cancel_above(Depth, random)); });
}

constexpr row rows[] = {
    {"coppice/token", 1, &undisturbed<&poll_token>},
    {"coppice/call", 1, &undisturbed<&poll_by_call>},
    {"coppice/storm_token", 2, &in_storm<&poll_token>},
    {"coppice/storm_call", 2, &in_storm<&poll_by_call>},
    {"coppice/seen_1", 2, &seen<1>},
    {"coppice/seen_100", 2, &seen<100>},
    {"coppice/seen_1000", 2, &seen<1'000>},
};

}  // namespace

std::span<const row> coppice_rows() noexcept {
  return rows;
}

}  // namespace bench::poll_suite
