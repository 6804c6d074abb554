// Where a thread stands: return addresses, made text when somebody reads it. For COPPICE_DEBUG.
#pragma once

#include <coppice/detail/atomic.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace coppice::inline v0::detail {

class backtrace {
 public:
  // Of the caller. Null if there is no memory.
  static const backtrace* capture() noexcept;

  // "spawned by:", and a line a call, innermost first. Throws std::bad_alloc.
  std::string text(std::string_view headline) const;

 private:
  static constexpr std::size_t most_calls = 62;

  void* calls_[most_calls];
  int count_ = 0;
};

// How many executors of the process want to know who cancels.
extern constinit atomic<int> canceller_wanted;

}  // namespace coppice::inline v0::detail
