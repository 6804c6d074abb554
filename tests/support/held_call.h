// A call that blocks until the test lets it return.
#pragma once

#include <latch>

namespace coppice::testing_support {

class held_call {
 public:
  held_call() = default;
  held_call(const held_call&) = delete;
  held_call& operator=(const held_call&) = delete;

  // The call itself.
  void operator()() {
    begun_.count_down();
    released_.wait();
  }

  // The test's thread.
  void wait_until_begun() { begun_.wait(); }
  bool has_begun() const { return begun_.try_wait(); }
  void release() { released_.count_down(); }

 private:
  std::latch begun_{1};
  std::latch released_{1};
};

}  // namespace coppice::testing_support
