// Taking slots, and walking over them.
#include <coppice/detail/slot_set.h>

#include "executor/slots.h"

#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>

#include <array>
#include <new>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

namespace {

slot_chunk& take_chunk(worker_core* here, slot_chunk::kind size) {
  return here != nullptr ? here->take_chunk(size) : chunk_reserve::take(size);
}

void give_chunk(worker_core* here, slot_chunk& empty) noexcept {
  if (here != nullptr) {
    here->give_chunk(empty);
  } else {
    chunk_reserve::give_back(empty);
  }
}

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

slot_chunk::slot_chunk(kind of) noexcept
    : kind_(of),
      capacity_(static_cast<std::uint32_t>((bytes_of(of) - sizeof(slot_chunk)) / sizeof(slot))) {
  for (slot& each : *this) {
    ::new (static_cast<void*>(&each)) slot;
  }
}

// Empty slots are found by going on from the last; when a fresh chunk is used up, a sweep through all of them is
// worth its while if half as many have been taken as there are, and another if it has found a quarter.
slot& slot_set::take(worker_core* here) {
  slot_chunk& shard = shard_of(here);
  for (;;) {
    slot_chunk& chunk = *shard.searched_;
    while (shard.position_ != chunk.capacity_) {
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
    if (each->worker_ == here) {
      return *each;
    }
  }
  return open_shard(here);
}

// The first shard stays the first, for links point to it.
slot_chunk& slot_set::open_shard(worker_core* here) {
  slot_chunk& fresh = take_chunk(here, slot_chunk::kind::small);
  fresh.worker_ = here;
  fresh.searched_ = &fresh;
  fresh.position_ = 0;
  fresh.found_ = 0;
  fresh.total_ = fresh.capacity_;
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

void slot_set::grow(slot_chunk& shard, worker_core* here) {
  constexpr std::uint32_t many = 60;
  slot_chunk& fresh =
      take_chunk(here, shard.total_ < many ? slot_chunk::kind::middle : slot_chunk::kind::large);
  fresh.next_.store(shard.next_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  fresh.set_.store(shard.set_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  shard.next_.store(&fresh, std::memory_order_seq_cst);  // SS1
  shard.total_ += fresh.capacity_;
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
      give_chunk(here, done);
    }
  }
}

namespace {

// Resumes, or stops, or leaves alone whoever waits at the slot. It is taken back to arming meanwhile, as by its
// suspender: what comes in between leaves `fired`, and is then ours to make good.
void look_at(slot& at, std::uint64_t generation, worker_core& here) noexcept {
  if (!at.retract(generation)) {
    return;
  }
  suspension& waiter = at.waiter();
  switch (waiter.publish_again(here, at, generation)) {
    case suspension::end_of_suspending::asleep:
      return;
    case suspension::end_of_suspending::over:
      here.post(waiter.resumption());
      return;
    case suspension::end_of_suspending::stopped:
      waiter.stop(here).resume();
      here.settle();
  }
}

// Where a walk stands in one set.
struct position {
  slot_chunk* shard;
  slot_chunk* chunk;
  std::uint64_t set;
  std::uint32_t next;
};

// Positions in the sets above. A tree is rarely deep and broad at once: see walker::descend().
class positions {
 public:
  bool empty() const noexcept { return count_ == 0; }

  // False if there is no memory.
  bool push(const position& added) noexcept {
    if (count_ < near_.size()) {
      near_[count_++] = added;
      return true;
    }
    try {
      far_.push_back(added);
    } catch (const std::bad_alloc&) {
      return false;
    }
    ++count_;
    return true;
  }

  position pop() noexcept {
    --count_;
    if (count_ < near_.size()) {
      return near_[count_];
    }
    const position last = far_.back();
    far_.pop_back();
    return last;
  }

 private:
  std::size_t count_ = 0;
  std::array<position, 64> near_;
  std::vector<position> far_;
};

}  // namespace

// Depth first. Of one set, slots in the order of their chunks.
class walker {
 public:
  explicit walker(worker_core& here) noexcept
      : here_(here),
        kept_scope_(here.scope),
        kept_next_(std::exchange(here.next, nullptr)),
        kept_stopping_(std::exchange(here.stopping, nullptr)) {}
  walker(const walker&) = delete;
  walker& operator=(const walker&) = delete;

  // Also in the midst of a coroutine that runs.
  ~walker() {
    here_.scope = kept_scope_;
    here_.next = kept_next_;
    here_.stopping = kept_stopping_;
  }

  void enter(slot_chunk& first) noexcept {
    at_ = {&first, &first, first.set(), 0};
    for (;;) {
      while (at_.chunk != nullptr) {
        step();
      }
      if (above_.empty()) {
        return;
      }
      at_ = above_.pop();
    }
  }

  void visit(slot& each) noexcept {
    const slot::view seen = each.look();
    if (seen.at == slot::state::suspended) {
      look_at(each, seen.generation, here_);
    } else if (seen.at == slot::state::link) {
      if (slot_chunk* const first = each.linked(seen)) {
        descend(*first);
      }
    }
  }

 private:
  void step() noexcept {
    if (at_.chunk->set() != at_.set) {  // It has been closed: nobody is left there.
      at_.chunk = nullptr;
      return;
    }
    if (at_.next != at_.chunk->end() - at_.chunk->begin()) {
      visit(at_.chunk->begin()[at_.next++]);
      return;
    }
    at_.next = 0;
    at_.chunk = at_.chunk->next();
    if (at_.chunk == nullptr) {
      at_.shard = at_.shard->next_shard();
      at_.chunk = at_.shard;
    }
  }

  void descend(slot_chunk& first) noexcept {
    const position below{&first, &first, first.set(), 0};
    if (at_.chunk != nullptr && !above_.push(at_)) {
      walker deeper(here_);  // Without memory, on the stack.
      deeper.enter(first);
      return;
    }
    at_ = below;
  }

  worker_core& here_;
  cancel_node* const kept_scope_;
  const std::coroutine_handle<> kept_next_;
  promise_base* const kept_stopping_;
  position at_{};
  positions above_;
};

void walk::from(slot& entry, worker_core& here) noexcept {
  const slot::view seen = entry.look();
  if (seen.at == slot::state::suspended) {
    walker alone(here);
    alone.visit(entry);
  } else if (seen.at == slot::state::link) {
    if (slot_chunk* const first = entry.linked(seen)) {
      from(*first, here);
    }
  }
}

void walk::from(slot_chunk& first, worker_core& here) noexcept {
  walker(here).enter(first);
}

}  // namespace coppice::inline v0::detail
