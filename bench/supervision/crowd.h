// Suspended leaves, each of which notes when its frame goes, and what one cancel did to all of them.
#pragma once

#include <coppice/coppice.h>

#include <atomic>
#include <cstddef>
#include <vector>

#include "bench/supervision/row.h"
#include "bench/support/ticks.h"

namespace bench::supervision_suite {

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

// One cancel's times.
struct event {
  ticks begun = 0;     // Just before the call.
  ticks returned = 0;  // Just behind it.
  ticks joined = 0;    // In the host, behind the scope.
};

// What is left over events: of each event's percentiles over its leaves, the median.
class events {
 public:
  explicit events(std::size_t most);

  void add(const event& one, const crowd& of);
  std::size_t count() const noexcept { return calls_.count(); }

  // Their time is the median of the events' p99.9; or of the calls.
  numbers observed();
  numbers calls();

 private:
  static double median(std::vector<double>& values);

  const double ns_per_tick_;
  samples calls_;
  std::vector<double> p50_;
  std::vector<double> p99_;
  std::vector<double> p99_9_;
  std::vector<double> last_;
  std::vector<double> joined_;
};

// Where the other workers stand when one cancels.
enum class others { search, sleep };

coppice::options options_for(const setting& at, others doing);

// As the options say: they search meanwhile, or have fallen asleep.
void let_others(others doing);

}  // namespace bench::supervision_suite
