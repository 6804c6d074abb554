// Taking slots, and giving them back.
#include <coppice/detail/slot_set.h>

#include "executor/slots.h"

#include <coppice/detail/worker_core.h>

#include <new>

namespace coppice::inline v0::detail {

namespace {

// Of sets; 0 is none. Handed out in blocks, so that opening one shares no counter.
std::uint64_t next_set_id() noexcept {
  constexpr std::uint64_t block = 4096;
  static constinit atomic<std::uint64_t> blocks{1};
  thread_local std::uint64_t next = 0;
  if (next % block == 0) {
    next = blocks.fetch_add(1, std::memory_order_relaxed) * block;
  }
  return next++;
}

}  // namespace

slot_chunk::slot_chunk(kind of) noexcept : kind_(of) {
  for (slot& each : *this) {
    ::new (static_cast<void*>(&each)) slot;
  }
}

// Workers keep those of waits.
slot_chunk& slot_set::take_chunk(worker_core* here, slot_chunk::kind size) const {
  return here != nullptr && purpose_ == purpose::waits ? here->take_chunk(size)
                                                       : chunk_reserve::take(size, purpose_);
}

// Empty slots are found by going on from the last; when a fresh chunk is used up, a sweep through all of them is
// worth its while if half as many have been taken as there are, and another if it has found a quarter.
slot& slot_set::take(worker_core* here) {
  slot_chunk& shard = shard_of(here);
  for (;;) {
    slot_chunk& chunk = *shard.searched_;
    while (shard.position_ != chunk.capacity()) {
      slot& each = chunk.begin()[shard.position_++];
      if (each.hold_if_empty()) {
        ++shard.found_;
        return each;
      }
    }
    slot_chunk* const following =
        shard.sweeping_ ? chunk.next_.load(std::memory_order_relaxed) : nullptr;
    if (following != nullptr) {
      shard.searched_ = following;
      shard.position_ = 0;
    } else if (shard.found_ * (shard.sweeping_ ? 4 : 2) >= shard.total_) {
      shard.sweeping_ = true;
      shard.found_ = 0;
      shard.searched_ = &shard;
      shard.position_ = 0;
    } else {
      grow(shard, here);
    }
  }
}

slot_chunk& slot_set::shard_of(worker_core* here) {
  for (slot_chunk* each = first_.load(std::memory_order_acquire); each != nullptr;  // SS1
       each = each->next_shard_.load(std::memory_order_acquire)) {                  // SS1
    if (each->worker() == here) {
      return *each;
    }
  }
  return open_shard(here);
}

// The first shard stays the first, for links point to it.
slot_chunk& slot_set::open_shard(worker_core* here) {
  slot_chunk& fresh = take_chunk(here, slot_chunk::kind::small);
  fresh.worker_.store(here, std::memory_order_relaxed);
  fresh.searched_ = &fresh;
  fresh.position_ = 0;
  fresh.found_ = 0;
  fresh.total_ = fresh.capacity();
  fresh.sweeping_ = false;
  fresh.next_.store(nullptr, std::memory_order_relaxed);
  fresh.next_shard_.store(nullptr, std::memory_order_relaxed);
  slot_chunk* first = nullptr;
  fresh.set_.store(next_set_id(), std::memory_order_relaxed);
  if (first_.compare_exchange_strong(first, &fresh, std::memory_order_seq_cst,  // SS1
                                     std::memory_order_acquire)) {              // SS1
    return fresh;
  }
  fresh.set_.store(first->set_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  slot_chunk* second = first->next_shard_.load(std::memory_order_relaxed);
  do {
    fresh.next_shard_.store(second, std::memory_order_relaxed);
  } while (!first->next_shard_.compare_exchange_weak(second, &fresh,
                                                     std::memory_order_seq_cst,  // SS1
                                                     std::memory_order_relaxed));
  return fresh;
}

void slot_set::grow(slot_chunk& shard, worker_core* here) const {
  constexpr std::uint32_t many = 60;
  slot_chunk& fresh =
      take_chunk(here, shard.total_ < many ? slot_chunk::kind::middle : slot_chunk::kind::large);
  fresh.next_.store(shard.next_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  fresh.set_.store(shard.set_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  shard.next_.store(&fresh, std::memory_order_seq_cst);  // SS1
  shard.total_ += fresh.capacity();
  shard.sweeping_ = false;
  shard.searched_ = &fresh;
  shard.position_ = 0;
}

void slot_set::close(worker_core* here) noexcept {
  slot_chunk* shard = first_.load(std::memory_order_acquire);  // SS1
  first_.store(nullptr, std::memory_order_relaxed);
  while (shard != nullptr) {
    slot_chunk* chunk = shard;
    shard = shard->next_shard_.load(std::memory_order_acquire);  // SS1
    while (chunk != nullptr) {
      slot_chunk& done = *chunk;
      chunk = chunk->next_.load(std::memory_order_relaxed);
      done.set_.store(0, std::memory_order_relaxed);
      if (here != nullptr && purpose_ == purpose::waits) {
        here->give_chunk(done);
      } else {
        chunk_reserve::give_back(done, purpose_);
      }
    }
  }
}

}  // namespace coppice::inline v0::detail
