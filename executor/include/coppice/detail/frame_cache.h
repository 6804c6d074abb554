// Where coroutine frames and outcome cells come from: free lists by size, one set to a worker.
//
// Blocks come in size classes 64 bytes apart, cut in address order from slabs that lie at multiples of
// their own size, so that a block's address alone tells its slab and the slab its owner. A worker takes and
// gives back its own blocks by plain loads and stores. Blocks of others go home in batches.
//
// Caches are never destroyed: they pass from one executor to the next, since a handle that outlives its
// executor may give its block back at any time.
//
// Orderings
//   F1  Whoever frees a foreign block pushes it on its owner's returned_ list; the owner takes the whole
//       list at once and then owns what lies in the blocks. (Taken whole, so there is no ABA.)
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>

#include <cstddef>
#include <cstdint>

namespace coppice::inline v0::detail {

class frame_cache;

// What lies at the start of a slab.
struct frame_slab {
  static constexpr std::size_t size = std::size_t{64} * 1024;
  static constexpr std::uint32_t header_bytes = 64;  // The first block lies behind it.

  frame_cache* owner;  // Null: a single block, too large for a class.
  frame_slab* next;    // In one of the owner's lists of slabs.
  std::uint32_t block_bytes;
  std::uint32_t carved_bytes;  // From the slab's start; what lies behind has never been handed out.
  std::uint32_t free_blocks;   // Scratch of the owner's trim(), else 0.

  bool unused() const noexcept { return free_blocks * block_bytes == carved_bytes - header_bytes; }

  static frame_slab* of(void* block) noexcept {
    return reinterpret_cast<frame_slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(size - 1));
  }
};

class COPPICE_EXPORT frame_cache {
 public:
  static constexpr std::size_t class_bytes = 64;
  static constexpr std::size_t class_count =
      64;  // Up to 4 KiB; what is larger comes from operator new.

  // `bytes` of memory aligned for any ordinary type. Owner only. Throws std::bad_alloc.
  void* allocate(std::size_t bytes) {
    const std::size_t index = class_of(bytes);
    if (index <= pooled_classes_) [[likely]] {
      if (free_block* const block = free_[index]) [[likely]] {
        free_[index] = block->next;
        return block;
      }
    }
    return allocate_slowly(bytes);
  }

  // Gives back what some cache's allocate(bytes) returned. Owner of *this* cache only.
  void deallocate(void* memory, std::size_t bytes) noexcept {
    const std::size_t index = class_of(bytes);
    if (index <= pooled_classes_ && frame_slab::of(memory)->owner == this) [[likely]] {
      auto* const block = static_cast<free_block*>(memory);
      block->next = free_[index];
      free_[index] = block;
      return;
    }
    deallocate_slowly(memory, bytes);
  }

  // Are blocks pooled, and then any of them known by its slab?
  bool pooled() const noexcept { return pooled_classes_ != 0; }

  // Gives back a pooled block whose size the caller does not know. Owner of *this* cache only.
  [[gnu::always_inline]] void deallocate_pooled(void* memory) noexcept {
    frame_slab* const slab = frame_slab::of(memory);
    if (slab->owner == this) [[likely]] {
      auto* const block = static_cast<free_block*>(memory);
      free_block*& list = free_[slab->block_bytes / class_bytes];
      block->next = list;
      list = block;
      return;
    }
    deallocate_slowly(memory, slab->block_bytes);
  }

  // The same from a thread that owns no cache.
  static void* allocate_foreign(std::size_t bytes);
  static void deallocate_foreign(void* memory, std::size_t bytes) noexcept;

  // Sends home what others' blocks wait here for a full batch. Owner only.
  void flush() noexcept;

  // Gives memory beyond `keep_bytes` back to the system: slabs without a live block only. Those it keeps
  // are cut in address order again. Owner only, when idle.
  void trim(std::size_t keep_bytes) noexcept;

  // Memory taken from the system and not given back. Owner only.
  std::size_t held_bytes() const noexcept { return slab_count_ * frame_slab::size; }

  // Blocks handed out and not given back, as far as this cache knows: exact when nobody else runs.
  std::size_t live_blocks() noexcept;

  // Blocks beyond the size classes (all of them where a sanitizer must see each), whoever asked for them.
  static std::size_t live_large_blocks() noexcept;
  static std::size_t live_foreign_blocks();

  // Those of them that are coroutine frames: all but outcome cells, which live as long as their handles.
  std::size_t live_frames() noexcept;

  // The frames that are large, or that plain threads have made.
  static std::size_t live_shared_frames() noexcept;

  // Outcome cells among the blocks. A worker that makes or frees cells of its own pays no locked
  // instruction for it.
  class cell_count {
   public:
    void change(bool by_owner, std::int64_t by) noexcept {
      if (by_owner) {
        own_.store(own_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
      } else {
        others_.fetch_add(by, std::memory_order_relaxed);
      }
    }
    std::size_t value() const noexcept {
      return static_cast<std::size_t>(own_.load(std::memory_order_relaxed) +
                                      others_.load(std::memory_order_relaxed));
    }

   private:
    atomic<std::int64_t> own_{0};                 // The owner.
    alignas(64) atomic<std::int64_t> others_{0};  // Everybody else.
  };

  // Where a block of allocate(bytes) is to be counted if it is a cell, and whether this cache owns that.
  struct cell_place {
    cell_count* count;
    bool own;
  };
  static cell_place cells_of(void* block, std::size_t bytes, const frame_cache* asking) noexcept;

  // A cache for a new worker, one that has been released if possible. Throws std::bad_alloc.
  static frame_cache& acquire();
  static void release(frame_cache& cache) noexcept;

  frame_cache() noexcept;
  frame_cache(const frame_cache&) = delete;
  frame_cache& operator=(const frame_cache&) = delete;

 private:
  struct free_block {
    free_block* next;
  };
  struct registry;

  static constexpr std::size_t class_of(std::size_t bytes) noexcept {
    return (bytes + class_bytes - 1) / class_bytes;
  }

  void* allocate_slowly(std::size_t bytes);
  static void* allocate_large(std::size_t bytes);
  static void deallocate_large(void* memory) noexcept;
  void deallocate_slowly(void* memory, std::size_t bytes) noexcept;
  void receive(free_block* first, free_block* last) noexcept;
  void take_returned() noexcept;
  void carve(std::size_t index);
  frame_slab& empty_slab();
  static void forget_unused_blocks(free_block*& list) noexcept;

  template <class Function>
  void for_each_free_block(const Function& function) {
    for (free_block* list : free_) {
      for (; list != nullptr; list = list->next) {
        function(*list);
      }
    }
  }

  // Highest class that is pooled: class_count, or 0 where a sanitizer must see each block. Constant.
  std::size_t pooled_classes_;
  free_block* free_[class_count + 1] = {};     // The owner.
  frame_slab* carving_[class_count + 1] = {};  // The owner: the slab each class is being cut from.
  frame_slab* slabs_ = nullptr;                // The owner: slabs that belong to a class.
  frame_slab* spare_ = nullptr;                // The owner: slabs without a block.
  std::size_t slab_count_ = 0;                 // The owner: both kinds.
  frame_cache* batch_owner_ = nullptr;         // The owner: whose blocks the batch holds.
  free_block* batch_first_ = nullptr;          // The owner.
  free_block* batch_last_ = nullptr;           // The owner.
  std::size_t batch_size_ = 0;                 // The owner.
  frame_cache* next_released_ = nullptr;       // The registry, under its lock.
  cell_count cells_;
  alignas(64) atomic<free_block*> returned_{nullptr};  // Anybody pushes, the owner takes.
};

}  // namespace coppice::inline v0::detail
