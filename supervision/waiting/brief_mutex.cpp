#include <coppice/detail/brief_mutex.h>

#include <chrono>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace coppice::inline v0::detail {

namespace {

void pause_briefly() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

// The longer it lasts the more likely it is that the holder has been preempted: then it needs the processor more than
// we do, and if it is of lower priority gets it only if we sleep.
void brief_mutex::wait() noexcept {
  constexpr int most_pauses = 64;
  constexpr int most_yields = 64;
  int pauses = 1;
  int yields = 0;
  do {
    while (held_.load(std::memory_order_relaxed)) {
      if (pauses <= most_pauses) {
        for (int i = 0; i != pauses; ++i) {
          pause_briefly();
        }
        pauses *= 2;
      } else if (yields != most_yields) {
        ++yields;
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  } while (!try_lock());
}

}  // namespace coppice::inline v0::detail
