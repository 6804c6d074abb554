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
//
// A walk of a large set is shared: workers without work join it. Each takes chunks that nobody of the same walk has
// begun, those of its own shard first, and says in the chunk when it is through; in the end each goes through what
// has been begun and is not done, from its other end. So one that is held up holds up the leaf it is at and no other.
// What a chunk says of walks is a hint, whose loss costs a second look: other walks write there too. Nothing keeps the
// scope for those who join, as nothing keeps it for any walker: chunks stay chunks, and a leaf keeps what is above it
// while it is asked.
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
  enum class kind : std::uint8_t { small, middle, large };
  static constexpr std::size_t kinds = 3;

  static constexpr std::size_t bytes_of(kind of) noexcept {
    return of == kind::small ? 128 : of == kind::middle ? 1024 : 4096;
  }

  explicit slot_chunk(kind of) noexcept;

  slot* begin() noexcept { return reinterpret_cast<slot*>(this + 1); }
  slot* end() noexcept { return begin() + capacity(); }

  std::uint32_t capacity() const noexcept {
    return static_cast<std::uint32_t>((bytes_of(kind_) - sizeof(slot_chunk)) / sizeof(slot));
  }
  kind size() const noexcept { return kind_; }

  // Walkers.
  std::uint64_t set() const noexcept { return set_.load(std::memory_order_relaxed); }
  slot_chunk* next() const noexcept { return next_.load(std::memory_order_seq_cst); }  // SS1
  slot_chunk* next_shard() const noexcept {
    return next_shard_.load(std::memory_order_seq_cst);  // SS1
  }

  const worker_core* worker() const noexcept { return worker_.load(std::memory_order_relaxed); }

  // Those of a shared walk: false if one of them has begun the chunk.
  bool begin_for(std::uint64_t walk) noexcept {
    std::uint64_t seen = walked_.load(std::memory_order_relaxed);
    do {
      if ((seen | 1) == (2 * walk | 1)) {
        return false;
      }
    } while (!walked_.compare_exchange_weak(seen, 2 * walk, std::memory_order_relaxed));
    return true;
  }
  void done_for(std::uint64_t walk) noexcept {
    walked_.store(2 * walk | 1, std::memory_order_relaxed);
  }
  bool is_done_for(std::uint64_t walk) const noexcept {
    return walked_.load(std::memory_order_relaxed) == (2 * walk | 1);
  }

  // In a list of free chunks.
  slot_chunk* next_free() const noexcept { return next_.load(std::memory_order_relaxed); }
  void next_free(slot_chunk* other) noexcept { next_.store(other, std::memory_order_relaxed); }

 private:
  friend class slot_set;

  atomic<slot_chunk*> next_{nullptr};        // In the same shard: the one taken before it.
  atomic<slot_chunk*> next_shard_{nullptr};  // Of a shard's first chunk: another shard.
  atomic<std::uint64_t> set_{0};             // Of which set; 0: none.
  atomic<std::uint64_t> walked_{
      0};  // Walkers: by which shared walk, and in the lowest bit whether to its end.
  atomic<const worker_core*> worker_{nullptr};  // Of a shard's first chunk: whose.

  // Of a shard's first chunk, and its worker's alone.
  slot_chunk* searched_ = nullptr;  // Where the search for an empty slot goes on ...
  std::uint32_t position_ = 0;      // ... and at which of its slots.
  std::uint32_t found_ = 0;         // Since the last sweep began.
  std::uint32_t total_ = 0;         // Slots in the shard.
  const kind kind_;
  bool sweeping_ = false;  // Through all chunks of the shard; else through a fresh one.
};

static_assert(sizeof(slot_chunk) == 64);

class COPPICE_EXPORT slot_set {
 public:
  // What its slots lead to. A walk may come to a slot long after its wait, or its task, has ended; whoever uses it then,
  // it must be a wait again. So the chunks of lists are never those of waits.
  enum class purpose : std::uint8_t { waits, list };

  slot_set() noexcept = default;
  explicit slot_set(purpose what_for) noexcept : purpose_(what_for) {}
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
  void grow(slot_chunk& shard, worker_core* here) const;
  slot_chunk& take_chunk(worker_core* here, slot_chunk::kind size) const;

  atomic<slot_chunk*> first_{nullptr};  // Whoever takes the first slot.
  const purpose purpose_ = purpose::waits;
};

// Goes through the slots of a set, and those of the sets below it.
class COPPICE_EXPORT walk {
 public:
  // Stops whoever waits at, or below, a slot and is asked to stop. On a worker.
  static void from(slot& entry, worker_core& here) noexcept;

  // The same of a set, named by its first chunk.
  static void from(slot_chunk& first, worker_core& here) noexcept;

  // Joins another worker's walk of that set; false if it has left some to others, as something else waits.
  static bool join(slot_chunk& first, std::uint64_t shared, worker_core& here) noexcept;
};

}  // namespace coppice::inline v0::detail
