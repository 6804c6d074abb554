// Suspended leaves, each of which notes when its frame goes.
#pragma once

#include <coppice/coppice.h>

#include <atomic>
#include <cstddef>
#include <vector>

#include "bench/support/row.h"
#include "bench/support/ticks.h"

namespace bench {

using coppice::runtime;
using coppice::task;
using coppice::task_group;

class crowd {
 public:
  explicit crowd(std::size_t size) : observed_(size, 0) {}
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

  std::size_t size() const noexcept { return observed_.size(); }

  void falls_asleep() noexcept { asleep_.fetch_add(1, std::memory_order_relaxed); }
  bool all_asleep() const noexcept { return asleep_.load(std::memory_order_relaxed) == size(); }
  void begin_again() noexcept { asleep_.store(0, std::memory_order_relaxed); }

  // A local of a leaf.
  class mark {
   public:
    mark(crowd& of, std::size_t which) noexcept : place_(of.observed_[which]) { place_ = 0; }
    mark(const mark&) = delete;
    mark& operator=(const mark&) = delete;
    ~mark() { place_ = ticks_now(); }

   private:
    ticks& place_;
  };

  // When each was seen to go.
  const std::vector<ticks>& observed() const noexcept { return observed_; }

 private:
  std::vector<ticks> observed_;
  std::atomic<std::size_t> asleep_{0};
};

// A leaf.
task<> sleeper(crowd& all, std::size_t which);

// Until all are asleep, and the tasks that the last ones ran on have come to rest.
task<> until_asleep(crowd& all);

// Where the other workers stand when one of them begins.
enum class others { search, sleep };

coppice::options options_for(const setting& at, others doing);

// As the options say: they search meanwhile, or have fallen asleep.
void let_others(others doing);

}  // namespace bench
