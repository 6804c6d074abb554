// Whoever stands over an executor and wants to know that something below was asked to stop.
#pragma once

#include <coppice/clock.h>

namespace coppice::inline v0::detail {

class cancel_observer {
 public:
  // Behind a request. Any thread, a signal handler too; any number of times.
  virtual void cancel_requested() noexcept = 0;

  // Virtual time has moved on from there, and nothing has been resumed since. Nothing runs meanwhile; it must not wait.
  virtual void time_moved(time_point from) noexcept = 0;

 protected:
  ~cancel_observer() = default;
};

}  // namespace coppice::inline v0::detail
