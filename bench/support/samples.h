// A distribution: every sample kept, percentiles exact.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

// Adding one allocates nothing and touches no new page. One thread at a time.
class samples {
 public:
  explicit samples(std::size_t most) : ns_(most, 0) {}

  // What comes after the last place is dropped.
  void add(std::chrono::nanoseconds one) noexcept {
    if (count_ != ns_.size()) {
      ns_[count_++] = one.count();
    }
  }

  std::size_t count() const noexcept { return count_; }
  bool full() const noexcept { return count_ == ns_.size(); }

  // Before any of those below.
  void sort() noexcept { std::sort(ns_.begin(), end()); }

  // The least sample that so many percent of all do not exceed.
  double percentile_ns(double percent) const noexcept {
    const double rank = std::ceil(static_cast<double>(count_) * percent / 100);
    const std::size_t place = std::clamp<std::size_t>(static_cast<std::size_t>(rank), 1, count_);
    return count_ == 0 ? 0 : static_cast<double>(ns_[place - 1]);
  }

  double least_ns() const noexcept { return percentile_ns(0); }
  double most_ns() const noexcept { return percentile_ns(100); }

  // Of all samples, those at most so long.
  double percent_within(std::chrono::nanoseconds limit) const noexcept {
    const auto within = std::upper_bound(ns_.begin(), end(), limit.count()) - ns_.begin();
    return 100 * static_cast<double>(within) /
           static_cast<double>(std::max<std::size_t>(count_, 1));
  }

 private:
  std::vector<std::int64_t>::iterator end() noexcept {
    return ns_.begin() + static_cast<std::ptrdiff_t>(count_);
  }
  std::vector<std::int64_t>::const_iterator end() const noexcept {
    return ns_.begin() + static_cast<std::ptrdiff_t>(count_);
  }

  std::vector<std::int64_t> ns_;
  std::size_t count_ = 0;
};

}  // namespace bench
