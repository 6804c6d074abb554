// The slow half of the frame cache: slabs, blocks that travel home, and memory given back when idle.
#include <coppice/detail/frame_cache.h>

#include "executor/process_locks.h"

#include <cstddef>
#include <limits>
#include <mutex>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define COPPICE_FRAMES_UNPOOLED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COPPICE_FRAMES_UNPOOLED 1
#endif
#endif

namespace coppice::inline v0::detail {

namespace {

#ifdef COPPICE_FRAMES_UNPOOLED
constexpr bool pooled_build = false;  // AddressSanitizer then sees each frame's life by itself.
#else
constexpr bool pooled_build = true;
#endif

constexpr std::size_t batch_limit = 32;   // Blocks that go home together.
constexpr std::size_t carve_blocks = 32;  // Blocks cut from a slab at a time.

detail::atomic<std::size_t> large_blocks{
    0};  // Anybody, relaxed: a count that tests read when all is still.
constinit frame_cache::cell_count large_cells;

}  // namespace

// The caches no worker owns, and the one that foreign threads share.
struct frame_cache::registry {
  std::mutex& mutex = mutex_of(process_lock::frames);
  frame_cache* released = nullptr;  // Under `mutex`.
  std::mutex& foreign_mutex = mutex_of(process_lock::foreign_frames);
  frame_cache foreign;  // Under `foreign_mutex`.

  // Never destroyed: blocks may come home after the last static destructor.
  static registry& instance() {
    static auto* const only = new registry;
    return *only;
  }
};

frame_cache::frame_cache() noexcept : pooled_classes_(pooled_build ? class_count : 0) {}

void* frame_cache::allocate_slowly(std::size_t bytes) {
  const std::size_t index = class_of(bytes);
  if (index > pooled_classes_) {
    return allocate_large(bytes);
  }
  take_returned();
  if (free_[index] == nullptr) {
    carve(index);
  }
  free_block* const block = free_[index];
  free_[index] = block->next;
  return block;
}

// Lies behind a slab's header as well, so that its address alone tells what it is.
void* frame_cache::allocate_large(std::size_t bytes) {
  void* memory = nullptr;
  if (!pooled_build) {
    memory = ::operator new(bytes);
  } else if (bytes > std::numeric_limits<std::uint32_t>::max()) {
    throw std::bad_alloc();
  } else {
    memory = ::operator new(frame_slab::header_bytes + bytes, std::align_val_t{frame_slab::size});
    ::new (memory) frame_slab{nullptr, nullptr, static_cast<std::uint32_t>(bytes), 0, 0};
    memory = static_cast<std::byte*>(memory) + frame_slab::header_bytes;
  }
  large_blocks.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void frame_cache::deallocate_large(void* memory) noexcept {
  large_blocks.fetch_sub(1, std::memory_order_relaxed);
  if (pooled_build) {
    ::operator delete(frame_slab::of(memory), std::align_val_t{frame_slab::size});
  } else {
    ::operator delete(memory);
  }
}

void frame_cache::deallocate_slowly(void* memory, std::size_t bytes) noexcept {
  if (class_of(bytes) > pooled_classes_) {
    deallocate_large(memory);
    return;
  }
  frame_cache* const home = frame_slab::of(memory)->owner;
  auto* const block = static_cast<free_block*>(memory);
  if (home != batch_owner_ || batch_size_ == batch_limit) {
    flush();
    batch_owner_ = home;
    batch_last_ = block;
  }
  block->next = batch_first_;
  batch_first_ = block;
  ++batch_size_;
}

void frame_cache::flush() noexcept {
  if (batch_first_ != nullptr) {
    batch_owner_->receive(batch_first_, batch_last_);
  }
  batch_owner_ = nullptr;
  batch_first_ = nullptr;
  batch_last_ = nullptr;
  batch_size_ = 0;
}

void frame_cache::receive(free_block* first, free_block* last) noexcept {
  free_block* head = returned_.load(std::memory_order_relaxed);
  do {
    last->next = head;
  } while (!returned_.compare_exchange_weak(head, first, std::memory_order_release,  // F1
                                            std::memory_order_relaxed));
}

void frame_cache::take_returned() noexcept {
  if (returned_.load(std::memory_order_relaxed) == nullptr) {
    return;
  }
  free_block* block = returned_.exchange(nullptr, std::memory_order_acquire);  // F1
  while (block != nullptr) {
    free_block* const next = block->next;
    const std::size_t index = frame_slab::of(block)->block_bytes / class_bytes;
    block->next = free_[index];
    free_[index] = block;
    block = next;
  }
}

// Puts the next few blocks of the class on its free list, lowest address first.
void frame_cache::carve(std::size_t index) {
  const std::size_t block_bytes = index * class_bytes;
  frame_slab* slab = carving_[index];
  if (slab == nullptr || slab->carved_bytes + block_bytes > frame_slab::size) {
    slab = &empty_slab();
    *slab = {this, slabs_, static_cast<std::uint32_t>(block_bytes), frame_slab::header_bytes, 0};
    slabs_ = slab;
    carving_[index] = slab;
  }
  free_block** tail = &free_[index];
  for (std::size_t i = 0; i != carve_blocks && slab->carved_bytes + block_bytes <= frame_slab::size;
       ++i) {
    *tail = ::new (reinterpret_cast<std::byte*>(slab) + slab->carved_bytes) free_block{nullptr};
    slab->carved_bytes += static_cast<std::uint32_t>(block_bytes);
    tail = &(*tail)->next;
  }
}

frame_slab& frame_cache::empty_slab() {
  if (frame_slab* const slab = spare_) {
    spare_ = slab->next;
    return *slab;
  }
  void* const memory = ::operator new(frame_slab::size, std::align_val_t{frame_slab::size});
  ++slab_count_;
  return *::new (memory) frame_slab;
}

void* frame_cache::allocate_foreign(std::size_t bytes) {
  registry& all = registry::instance();
  const std::lock_guard lock(all.foreign_mutex);
  return all.foreign.allocate(bytes);
}

void frame_cache::deallocate_foreign(void* memory, std::size_t bytes) noexcept {
  if (!pooled_build || class_of(bytes) > class_count) {
    deallocate_large(memory);
    return;
  }
  auto* const block = static_cast<free_block*>(memory);
  frame_slab::of(memory)->owner->receive(block, block);
}

// Blocks on free lists are counted slab by slab. A slab without a live block leaves its class: it is cut
// anew, in address order, by the next class that wants one, or goes back to the system.
void frame_cache::trim(std::size_t keep_bytes) noexcept {
  flush();
  take_returned();
  for_each_free_block([](free_block& block) { ++frame_slab::of(&block)->free_blocks; });
  for (free_block*& list : free_) {
    forget_unused_blocks(list);
  }
  frame_slab** link = &slabs_;
  while (frame_slab* const slab = *link) {
    if (!slab->unused()) {
      slab->free_blocks = 0;
      link = &slab->next;
      continue;
    }
    *link = slab->next;
    frame_slab*& carving = carving_[slab->block_bytes / class_bytes];
    carving = carving == slab ? nullptr : carving;
    slab->next = spare_;
    spare_ = slab;
  }
  // Slabs in use count as kept, or a cache could hold twice its cap for ever.
  while (spare_ != nullptr && held_bytes() > keep_bytes) {
    frame_slab* const surplus = spare_;
    spare_ = surplus->next;
    --slab_count_;
    ::operator delete(surplus, std::align_val_t{frame_slab::size});
  }
}

void frame_cache::forget_unused_blocks(free_block*& list) noexcept {
  free_block** link = &list;
  while (free_block* const block = *link) {
    if (frame_slab::of(block)->unused()) {
      *link = block->next;
    } else {
      link = &block->next;
    }
  }
}

std::size_t frame_cache::live_blocks() noexcept {
  flush();
  take_returned();
  std::size_t blocks = 0;
  for (const frame_slab* slab = slabs_; slab != nullptr; slab = slab->next) {
    blocks += (slab->carved_bytes - frame_slab::header_bytes) / slab->block_bytes;
  }
  for_each_free_block([&blocks](free_block&) { --blocks; });
  return blocks;
}

std::size_t frame_cache::live_large_blocks() noexcept {
  return large_blocks.load(std::memory_order_relaxed);
}

std::size_t frame_cache::live_foreign_blocks() {
  registry& all = registry::instance();
  const std::lock_guard lock(all.foreign_mutex);
  return all.foreign.live_blocks();
}

std::size_t frame_cache::live_frames() noexcept {
  return live_blocks() - cells_.value();
}

std::size_t frame_cache::live_shared_frames() noexcept {
  registry& all = registry::instance();
  const std::lock_guard lock(all.foreign_mutex);
  return all.foreign.live_frames() + live_large_blocks() - large_cells.value();
}

frame_cache::cell_place frame_cache::cells_of(void* block, std::size_t bytes,
                                              const frame_cache* asking) noexcept {
  if (!pooled_build || class_of(bytes) > class_count) {
    return {&large_cells, false};
  }
  frame_cache* const home = frame_slab::of(block)->owner;
  return {&home->cells_, home == asking};
}

frame_cache& frame_cache::acquire() {
  registry& all = registry::instance();
  const std::lock_guard lock(all.mutex);
  if (frame_cache* const cache = all.released) {
    all.released = cache->next_released_;
    return *cache;
  }
  return *new frame_cache;
}

void frame_cache::release(frame_cache& cache) noexcept {
  cache.trim(0);
  registry& all = registry::instance();
  const std::lock_guard lock(all.mutex);
  cache.next_released_ = all.released;
  all.released = &cache;
}

}  // namespace coppice::inline v0::detail
