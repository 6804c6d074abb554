// Everything a worker could run next, drawn by a seed, so that a run can be had again.
#pragma once

#include <coppice/detail/job.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace coppice::inline v0::detail {

class job_bag {
 public:
  // Without `shuffle` the seed decides nothing: first in, first out. Throws std::bad_alloc.
  job_bag(std::uint64_t seed, bool shuffle) : random_(seed), shuffle_(shuffle) {
    jobs_.reserve(64);
  }

  bool shuffles() const noexcept { return shuffle_; }
  bool empty() const noexcept { return first_ == jobs_.size(); }

  // Makes room for one more. False if there is no memory for it.
  [[nodiscard]] bool make_room() noexcept {
    if (jobs_.size() != jobs_.capacity()) {
      return true;
    }
    if (first_ > jobs_.size() / 2) {
      jobs_.erase(jobs_.begin(), jobs_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
      return true;
    }
    try {
      jobs_.reserve(2 * jobs_.size());
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  // Only when room has been made for it.
  void add(job& ready) noexcept { jobs_.push_back(&ready); }

  // The same, as one that came before all others.
  void add_first(job& ready) noexcept {
    if (shuffle_) {
      add(ready);
    } else if (first_ != 0) {
      jobs_[--first_] = &ready;
    } else {
      jobs_.insert(jobs_.begin(), &ready);
    }
  }

  // Takes one out; null if there is none.
  job* draw() noexcept {
    if (empty()) {
      return nullptr;
    }
    if (!shuffle_) {
      return jobs_[first_++];
    }
    // Not a std::uniform_int_distribution, which is another one in each standard library.
    job*& drawn = jobs_.size() == 1 ? jobs_[0] : jobs_[random_() % jobs_.size()];
    job* const found = drawn;
    drawn = jobs_.back();
    jobs_.pop_back();
    return found;
  }

 private:
  std::vector<job*> jobs_;  // From first_ on; in order of arrival unless shuffled.
  std::size_t first_ = 0;   // What lies before it has been drawn; 0 if shuffled.
  std::mt19937_64 random_;
  const bool shuffle_;
};

}  // namespace coppice::inline v0::detail
