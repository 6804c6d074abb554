// The same with std::stop_token: levels are sources that stop one another by callbacks.
#include <memory>
#include <stop_token>
#include <vector>

#include "bench/poll/polls.h"

namespace bench::poll_suite {
namespace {

numbers poll_token(const setting& at) {
  std::stop_source source;
  const std::stop_token held = source.get_token();
  const numbers result = time_polls(at, [&held] { return held.stop_requested(); });
  source.request_stop();
  require(held.stop_requested(), "a poll did not see the stop of its source");
  return result;
}

numbers in_storm(const setting& at) {
  const auto stop_one = [] {
    std::stop_source one;
    one.request_stop();
  };
  return measure_in_storm(stop_one, [&at] { return poll_token(at); });
}

struct pass_on {
  void operator()() const noexcept { below->request_stop(); }
  std::stop_source* below;
};

ticks cancel_above(std::size_t depth, std::minstd_rand& random) {
  std::vector<std::stop_source> levels(depth);
  std::vector<std::unique_ptr<std::stop_callback<pass_on>>> links;
  for (std::size_t i = 1; i != depth; ++i) {
    links.push_back(std::make_unique<std::stop_callback<pass_on>>(levels[i - 1].get_token(),
                                                                  pass_on{&levels[i]}));
  }
  sighting one;
  std::jthread poller = run_beside([&one, held = levels.back().get_token()] {
    one.look([&held] { return held.stop_requested(); });
  });
  while (!one.polling()) {
  }
  one.cancel(random, [&levels] { levels.front().request_stop(); });
  poller.join();
  return one.took();
}

template <std::size_t Depth>
numbers seen(const setting& at) {
  return time_sightings(at, [](std::minstd_rand& random) { return cancel_above(Depth, random); });
}

constexpr row rows[] = {
    {"std_stop_token/token", 1, &poll_token},      {"std_stop_token/storm_token", 2, &in_storm},
    {"std_stop_token/seen_1", 2, &seen<1>},        {"std_stop_token/seen_100", 2, &seen<100>},
    {"std_stop_token/seen_1000", 2, &seen<1'000>},
};

}  // namespace

std::span<const row> std_rows() noexcept {
  return rows;
}

}  // namespace bench::poll_suite
