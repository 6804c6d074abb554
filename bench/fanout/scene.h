// What a row of the suite about fan-outs measures, and how that is told by its name.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "bench/support/crowd.h"
#include "bench/support/fan_out.h"
#include "bench/support/scatter.h"

namespace bench::fanout_suite {

enum class contender { coppice, coppice_gather, limit1, limit2, std_stop_token, onetbb, asio };
enum class form { flat, wide, deep, random };
enum class source { event, timer, channel, own_event, own_channel };
enum class caller { worker, foreign };
enum class burden { idle, busy, fork_join };

// The headline, but for what is said otherwise.
struct scene {
  contender system = contender::coppice;
  form shape = form::flat;
  std::size_t leaves = 10'000;      // And as many groups, if it is deep.
  source leaf = source::event;      // What each waits for.
  others workers = others::search;  // All but the one that cancels, if one does.
  caller canceller = caller::worker;
  layout frames = layout::ordered;
  burden load = burden::idle;  // What the workers compute meanwhile.
};

// "coppice/flat/10000/event/spinning/worker/ordered/idle".
class scene_name {
 public:
  constexpr explicit scene_name(const scene& of) {
    constexpr std::string_view systems[] = {"coppice",        "coppice_gather", "limit1", "limit2",
                                            "std_stop_token", "onetbb",         "asio"};
    constexpr std::string_view shapes[] = {"flat", "wide", "deep", "random"};
    constexpr std::string_view leaves[] = {"event", "timer", "channel", "own_event", "own_channel"};
    constexpr std::string_view workers[] = {"spinning", "parked"};
    constexpr std::string_view cancellers[] = {"worker", "foreign"};
    constexpr std::string_view frames[] = {"ordered", "scattered"};
    constexpr std::string_view loads[] = {"idle", "busy", "fork_join"};
    add(systems[static_cast<std::size_t>(of.system)]);
    add(shapes[static_cast<std::size_t>(of.shape)]);
    add(of.leaves);
    add(leaves[static_cast<std::size_t>(of.leaf)]);
    add(workers[static_cast<std::size_t>(of.workers)]);
    add(cancellers[static_cast<std::size_t>(of.canceller)]);
    add(frames[static_cast<std::size_t>(of.frames)]);
    add(loads[static_cast<std::size_t>(of.load)]);
    text_.at(size_ - 1) = '\0';
  }

  constexpr const char* text() const noexcept { return text_.data(); }

 private:
  constexpr void add(std::size_t number) {
    if (number >= 10) {
      add(number / 10);
      --size_;
    }
    const char digit[] = {static_cast<char>('0' + number % 10)};
    add(std::string_view(digit, 1));
  }
  constexpr void add(std::string_view word) {
    for (const char each : word) {
      text_.at(size_++) = each;
    }
    text_.at(size_++) = '/';
  }

  std::array<char, 100> text_ = {};
  std::size_t size_ = 0;
};

// How a system is measured.
using measurement = numbers (*)(const scene& at, const setting& how);

template <scene At>
inline constexpr scene_name name_of{At};

template <scene At, measurement Measure>
numbers measure_scene(const setting& how) {
  return Measure(At, how);
}

// A row for each scene of an array.
template <const auto& Scenes, measurement Measure>
inline constexpr auto rows_of = []<std::size_t... Each>(std::index_sequence<Each...>) {
  return std::array{row{name_of<Scenes[Each]>.text(),
                        Scenes[Each].system == contender::limit1 ? 1U : 2U,
                        &measure_scene<Scenes[Each], Measure>}...};
}(std::make_index_sequence<std::size(Scenes)>());

// Cancels that warm up, and as many as are measured. Each call of `cancel` gives one.
template <class Cancel>
fan_outs repeat(const scene& at, const setting& how, crowd& all, Cancel cancel) {
  const std::size_t times = at.leaves <= 1'000     ? 500
                            : at.leaves <= 10'000  ? 100
                            : at.leaves <= 100'000 ? 20
                                                   : 5;
  fan_outs seen;
  all.begin_again();
  cancel();
  for (std::size_t i = how.scaled(times); i != 0; --i) {
    all.begin_again();
    const fan_out one = cancel();
    seen.add(one, all.observed());
  }
  return seen;
}

// What a peer is measured at: the headline of each shape.
template <contender By>
inline constexpr scene headlines[] = {
    {.system = By, .leaves = 1'000},
    {.system = By, .leaves = 10'000},
    {.system = By, .leaves = 100'000},
    {.system = By, .leaves = 1'000'000},
    {.system = By, .shape = form::wide, .leaves = 10'000},
    {.system = By, .shape = form::deep, .leaves = 1'000},
    {.system = By, .shape = form::random, .leaves = 10'000},
};

// When leaves were seen to go, the row's time being that of p99.9; when the call returned; when all had been joined.
numbers observed_and_returned(const fan_outs& seen);
numbers observed_and_joined(const fan_outs& seen);
numbers all_three(const fan_outs& seen);

}  // namespace bench::fanout_suite
