// One row of a suite: a name, how many workers, and the function that measures.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/support/samples.h"

namespace bench {

using clock = std::chrono::steady_clock;

// How a row is to be measured.
struct setting {
  unsigned workers;
  bool quick;

  // A tenth of it, at least one, when it is to be quick.
  std::size_t scaled(std::size_t full) const noexcept { return quick ? (full + 9) / 10 : full; }
};

// What a row gives: nanoseconds for each of whatever it counts, and named values beside. Trivially
// copyable, since it comes through a pipe; names are constants.
class numbers {
 public:
  struct named {
    const char* name;
    double value;
  };

  numbers() = default;
  explicit numbers(double ns_each) noexcept : ns_each_(ns_each) {}

  numbers& add(const char* name, double value) {
    values_.at(count_) = {name, value};
    ++count_;
    return *this;
  }

  double ns_each() const noexcept { return ns_each_; }
  std::span<const named> values() const noexcept { return {values_.data(), count_}; }

 private:
  double ns_each_ = 0;
  std::size_t count_ = 0;
  std::array<named, 12> values_ = {};
};

struct row {
  const char* name;  // Behind that of its suite.
  unsigned workers;
  numbers (*measure)(const setting& at);
};

inline double ns_since(clock::time_point begun) noexcept {
  return std::chrono::duration<double, std::nano>(clock::now() - begun).count();
}

// The median as the row's time, with its tail.
inline numbers distribution(samples& of) {
  of.sort();
  numbers result(of.percentile_ns(50));
  result.add("ns_p50", of.percentile_ns(50))
      .add("ns_p99", of.percentile_ns(99))
      .add("ns_p99_9", of.percentile_ns(99.9))
      .add("ns_max", of.most_ns())
      .add("percent_within_100us", of.percent_within(std::chrono::microseconds(100)))
      .add("samples", static_cast<double>(of.count()));
  return result;
}

// A row whose result is wrong is one that failed.
inline void require(bool right, const char* what) {
  if (!right) {
    throw std::runtime_error(what);
  }
}

}  // namespace bench
