// The slots of the process.
#include "executor/slots.h"

#include "executor/process_locks.h"

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

namespace {

constexpr std::size_t slots_at_a_time = 252;
constexpr std::size_t bytes_of_chunks = 8192;  // Made at a time, of one size.

// As much memory as slot_chunk's alignment and largest size ask for.
struct alignas(64) chunk_memory {
  std::array<std::byte, bytes_of_chunks> bytes;
};

struct reserve {
  std::mutex& mutex = mutex_of(process_lock::slots);
  slot* empty = nullptr;  // Under the lock, as all here.
  // Keeps what was made reachable, for leak checkers.
  std::vector<std::unique_ptr<std::array<slot, slots_at_a_time>>> made;
  std::array<std::array<slot_chunk*, slot_chunk::kinds>, 2> chunks{};  // Of each purpose.
  std::vector<std::unique_ptr<chunk_memory>> made_chunks;

  static reserve& instance() {
    static auto* const only = new reserve;  // Never destroyed: see slot_reserve.
    return *only;
  }
};

}  // namespace

slot* slot_reserve::take() {
  reserve& all = reserve::instance();
  const std::lock_guard lock(all.mutex);
  if (all.empty != nullptr) {
    return std::exchange(all.empty, nullptr);
  }
  auto fresh = std::make_unique<std::array<slot, slots_at_a_time>>();
  slot* first = nullptr;
  for (slot& each : *fresh) {
    each.next_free(first);
    first = &each;
  }
  all.made.push_back(std::move(fresh));
  return first;
}

void slot_reserve::give_back(slot* first) noexcept {
  if (first == nullptr) {
    return;
  }
  slot* last = first;
  while (last->next_free() != nullptr) {
    last = last->next_free();
  }
  reserve& all = reserve::instance();
  const std::lock_guard lock(all.mutex);
  last->next_free(all.empty);
  all.empty = first;
}

slot_chunk& chunk_reserve::take(slot_chunk::kind size, slot_set::purpose what_for) {
  reserve& all = reserve::instance();
  const std::lock_guard lock(all.mutex);
  slot_chunk*& empty =
      all.chunks[static_cast<std::size_t>(what_for)][static_cast<std::size_t>(size)];
  if (empty == nullptr) {
    all.made_chunks.push_back(std::make_unique<chunk_memory>());
    chunk_memory& fresh = *all.made_chunks.back();
    const std::size_t bytes = slot_chunk::bytes_of(size);
    for (std::size_t at = 0; at != bytes_of_chunks; at += bytes) {
      auto* const chunk = ::new (static_cast<void*>(&fresh.bytes[at])) slot_chunk(size);
      chunk->next_free(empty);
      empty = chunk;
    }
  }
  slot_chunk& taken = *empty;
  empty = taken.next_free();
  return taken;
}

void chunk_reserve::give_back(slot_chunk& given, slot_set::purpose what_for) noexcept {
  reserve& all = reserve::instance();
  const std::lock_guard lock(all.mutex);
  slot_chunk*& empty =
      all.chunks[static_cast<std::size_t>(what_for)][static_cast<std::size_t>(given.size())];
  given.next_free(empty);
  empty = &given;
}

}  // namespace coppice::inline v0::detail
