// Slots and chunks of them that no worker keeps: memory only ever used as such, handed from worker to worker.
#pragma once

#include <coppice/detail/slot.h>
#include <coppice/detail/slot_set.h>

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

// The same for the chunks of slot_set, those of each purpose apart.
class chunk_reserve {
 public:
  // Throws std::bad_alloc.
  static slot_chunk& take(slot_chunk::kind size,
                          slot_set::purpose what_for = slot_set::purpose::waits);
  static void give_back(slot_chunk& empty,
                        slot_set::purpose what_for = slot_set::purpose::waits) noexcept;
};

}  // namespace coppice::inline v0::detail
