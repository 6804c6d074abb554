// What passes through a channel, whoever made it: between how many, and whether all of it arrived.
#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/support/ticks.h"
#include "bench/waiting/rounds.h"

namespace bench::waiting_suite {

// Of every bounded channel and queue here.
inline constexpr std::size_t capacity = 1'024;

struct ends {
  unsigned senders;
  unsigned receivers;
};

// A number, those of all senders together being 0, 1, ...; one in sixteen knows which core it is from.
struct item {
  std::uint32_t number;
  std::uint32_t core;  // Plus one; 0: not said.

  static item sent_here(std::size_t number) noexcept {
    return {static_cast<std::uint32_t>(number),
            number % 16 == 0 ? static_cast<std::uint32_t>(sched_getcpu()) + 1 : 0};
  }
};

// What has been received.
class tally {
 public:
  void add(const item& one) noexcept {
    ++count_;
    sum_ += one.number;
    if (one.core != 0) {
      ++looked_at_;
      elsewhere_ += one.core != static_cast<std::uint32_t>(sched_getcpu()) + 1 ? 1 : 0;
    }
  }

  void add(const tally& other) noexcept {
    count_ += other.count_;
    sum_ += other.sum_;
    looked_at_ += other.looked_at_;
    elsewhere_ += other.elsewhere_;
  }

  void require_all(std::size_t items) const {
    require(count_ == items && sum_ == items * (items - 1) / 2,
            "not everything that was sent has arrived once");
  }

  // On another core than it was sent from.
  double percent_elsewhere() const noexcept {
    return 100 * static_cast<double>(elsewhere_) / static_cast<double>(looked_at_);
  }

 private:
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t looked_at_ = 0;
  std::uint64_t elsewhere_ = 0;
};

// The numbers of one sender.
struct part {
  std::size_t from;
  std::size_t until;

  static part of(std::size_t items, unsigned senders, unsigned which) noexcept {
    return {items * which / senders, items * (which + 1) / senders};
  }
};

// `round(items, received)` sends so many, adds them up, and gives the nanoseconds.
template <class Round>
numbers throughput(const setting& at, Round round) {
  tally all;
  numbers result = median_of_rounds(at, [&](std::size_t items) {
    tally mine;
    const double ns = round(items, mine);
    mine.require_all(items);
    all.add(mine);
    return ns;
  });
  return result.add("percent_elsewhere", all.percent_elsewhere());
}

// An item that says when it was sent, and who waits to hear that it has arrived before the next is sent.
struct parcel {
  ticks sent;
  unsigned sender;
};
struct receipt {};

// From just before the send to behind the receive. One receiver's, or those of all.
class alignas(64) latencies {
 public:
  explicit latencies(std::size_t most) { each_.reserve(most); }

  void add(const parcel& arrived) { each_.push_back(ticks_now() - arrived.sent); }
  void add(const latencies& other) {
    each_.insert(each_.end(), other.each_.begin(), other.each_.end());
  }

  numbers distribution_of(std::size_t expected) const {
    require(each_.size() == expected, "not every parcel has arrived once");
    const double ns_per_tick = measure_ns_per_tick();
    samples all(each_.size());
    for (const ticks one : each_) {
      all.add(std::chrono::nanoseconds(
          static_cast<std::int64_t>(ns_per_tick * static_cast<double>(one))));
    }
    return distribution(all);
  }

 private:
  std::vector<ticks> each_;
};

// So many parcels a sender.
inline std::size_t parcels(const setting& at, const ends& of) noexcept {
  return at.scaled(40'000) / of.senders;
}

}  // namespace bench::waiting_suite
