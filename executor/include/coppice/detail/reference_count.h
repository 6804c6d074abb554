// A count of references to an immutable or self-synchronising object: the last one to go destroys
// it.
//
// Orderings
//   RC1  drop() releases, the last drop() acquires: whoever destroys the object sees all that the
//        other owners did with it.
#pragma once

#include <coppice/detail/atomic.h>

#include <cstdint>

namespace coppice::inline v0::detail {

class reference_count {
 public:
  constexpr reference_count() noexcept = default;  // One: the maker's.

  // Only by one who holds a reference, or is sure that somebody does.
  void add(std::uint32_t references = 1) noexcept {
    count_.fetch_add(references, std::memory_order_relaxed);
  }

  // True for the last: the caller must destroy the object.
  [[nodiscard]] bool drop(std::uint32_t references = 1) noexcept {
    if (count_.fetch_sub(references, std::memory_order_release) != references) {  // RC1
      return false;
    }
    // A load and not a fence, which ThreadSanitizer would not see.
    static_cast<void>(count_.load(std::memory_order_acquire));  // RC1
    return true;
  }

 private:
  atomic<std::uint32_t> count_{1};  // Every owner.
};

}  // namespace coppice::inline v0::detail
