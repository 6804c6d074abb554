// The slots of what waits directly below one node, for walkers to find.
//
// A slot lies in a chunk of the worker that took it, so that taking one writes nothing that two workers share.
// Chunks are only ever reused as chunks: a walker may follow a pointer to one at any time. Each says to which
// set it belongs at the moment, and a walker that finds another set there turns round; what it did meanwhile to
// slots of that other set was to ask their waiters whether they are to stop, which is always allowed.
//
// Orderings
//   SS1  A worker publishes a chunk in its set; whoever finds it sees what was written into it. In one total
//        order with S3, so that a walk behind a cancel finds each chunk with a slot published before.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/slot.h>

#include <cstddef>
#include <cstdint>

namespace coppice::inline v0::detail {

class worker_core;
class slot_set;

class alignas(64) slot_chunk {
 public:
  enum class kind : std::uint32_t { small, middle, large };
  static constexpr std::size_t kinds = 3;

  static constexpr std::size_t bytes_of(kind of) noexcept {
    return of == kind::small ? 128 : of == kind::middle ? 1024 : 4096;
  }

  explicit slot_chunk(kind of) noexcept;

  slot* begin() noexcept { return reinterpret_cast<slot*>(this + 1); }
  slot* end() noexcept { return begin() + capacity_; }

  kind size() const noexcept { return kind_; }

  // Walkers.
  std::uint64_t set() const noexcept { return set_.load(std::memory_order_relaxed); }
  slot_chunk* next() const noexcept { return next_.load(std::memory_order_seq_cst); }  // SS1
  slot_chunk* next_shard() const noexcept {
    return next_shard_.load(std::memory_order_seq_cst);  // SS1
  }

  // In a list of free chunks.
  slot_chunk* next_free() const noexcept { return next_.load(std::memory_order_relaxed); }
  void next_free(slot_chunk* other) noexcept { next_.store(other, std::memory_order_relaxed); }

 private:
  friend class slot_set;

  atomic<slot_chunk*> next_{nullptr};        // In the same shard: the one taken before it.
  atomic<slot_chunk*> next_shard_{nullptr};  // Of a shard's first chunk: another shard.
  atomic<std::uint64_t> set_{0};             // Of which set; 0: none.
  const kind kind_;
  const std::uint32_t capacity_;

  // Of a shard's first chunk, and its worker's alone.
  const worker_core* worker_ = nullptr;
  slot_chunk* searched_ = nullptr;  // Where the search for an empty slot goes on ...
  std::uint32_t position_ = 0;      // ... and at which of its slots.
  std::uint32_t found_ = 0;         // Since the last sweep began.
  std::uint32_t total_ = 0;         // Slots in the shard.
  bool sweeping_ = false;           // Through all chunks of the shard; else through a fresh one.
};

static_assert(sizeof(slot_chunk) == 64);

class COPPICE_EXPORT slot_set {
 public:
  slot_set() noexcept = default;
  slot_set(const slot_set&) = delete;
  slot_set& operator=(const slot_set&) = delete;

  // An empty slot, held for the caller. `here`: the worker that calls; null: somebody else, with a lock that
  // keeps others of that kind out. Throws std::bad_alloc.
  slot& take(worker_core* here);

  // No slot is in use any more: the chunks are for others.
  void close(worker_core* here) noexcept;

  // The first chunk of the first shard; null if nothing has been taken.
  slot_chunk* first() const noexcept { return first_.load(std::memory_order_seq_cst); }  // SS1

 private:
  slot_chunk& shard_of(worker_core* here);
  slot_chunk& open_shard(worker_core* here);
  static void grow(slot_chunk& shard, worker_core* here);

  atomic<slot_chunk*> first_{nullptr};  // Whoever takes the first slot.
};

// Goes through the slots of a set, and those of the sets below it.
class COPPICE_EXPORT walk {
 public:
  // Stops whoever waits at, or below, a slot and is asked to stop. On a worker.
  static void from(slot& entry, worker_core& here) noexcept;

  // The same of a set, named by its first chunk.
  static void from(slot_chunk& first, worker_core& here) noexcept;
};

}  // namespace coppice::inline v0::detail
