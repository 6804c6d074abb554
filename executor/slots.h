// Slots that no worker keeps: memory that is only ever used as slots, handed from worker to worker.
#pragma once

#include <coppice/detail/slot.h>

namespace coppice::inline v0::detail {

// Slots are never given back to the system: tickets of waits long over may still point at them. What an
// executor leaves behind serves the next one.
class slot_reserve {
 public:
  // A list of empty slots, joined by their links. Throws std::bad_alloc.
  static slot* take();

  // Takes a list of empty slots.
  static void give_back(slot* first) noexcept;
};

}  // namespace coppice::inline v0::detail
