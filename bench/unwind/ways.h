// The ways in which a chain of frames can end early, from its bottom to who catches.
#pragma once

#include <coppice/coppice.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "bench/support/allocations.h"
#include "bench/support/ticks.h"
#include "bench/unwind/row.h"

namespace bench::unwind_suite {

using coppice::task;

// What one fall through the frames took, on one thread.
class fall {
 public:
  // A local of each frame.
  class local {
   public:
    explicit local(fall& of) noexcept : of_(of) {}
    local(const local&) = delete;
    local& operator=(const local&) = delete;
    ~local() { ++of_.unwound_; }

   private:
    fall& of_;
  };

  // At the bottom, and behind who catches.
  void begin() noexcept {
    allocations_ = allocations_here();
    begun_ = ticks_now();
  }
  void end() noexcept {
    took_ = ticks_now() - begun_;
    allocations_ = allocations_here() - allocations_;
  }

  ticks took() const noexcept { return took_; }
  std::uint64_t allocations() const noexcept { return allocations_; }

  // Frames gone, in all falls.
  std::size_t unwound() const noexcept { return unwound_; }

 private:
  ticks begun_ = 0;
  ticks took_ = 0;
  std::uint64_t allocations_ = 0;
  std::size_t unwound_ = 0;
};

class bottom_reached : public std::runtime_error {
 public:
  bottom_reached() : std::runtime_error("the bottom has been reached") {}
};

// A chain of so many frames, of which each awaits the next; and how who catches sees it end.
struct way {
  task<> (*down)(fall& one, std::size_t frames);
  coppice::task_status end;
};

extern const way stop_way;     // A stop: the frames are destroyed, innermost first.
extern const way throw_way;    // An exception, which is thrown anew in each frame.
extern const way nothrow_way;  // An exception that each frame hands up by nothrow().
extern const way return_way;   // All return.

// So many falls of such a chain; behind each, `then()` is called.
template <class Then>
task<> fall_often(const way& by, fall& one, std::size_t frames, std::size_t times, Then& then) {
  const auto body = [&](coppice::cancel_scope& scope) -> task<> {
    if (by.end == coppice::task_status::cancelled) {
      scope.cancel();
    }
    for (std::size_t i = 0; i != times; ++i) {
      const auto end = co_await coppice::as_result(by.down(one, frames));
      one.end();
      require(end.status() == by.end, "a chain of frames has not ended as it should");
      then();
    }
  };
  const std::size_t before = one.unwound();
  co_await coppice::with_scope(body);
  require(one.unwound() - before == frames * times, "not every frame is gone");
}

}  // namespace bench::unwind_suite
