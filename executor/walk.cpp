// Walking over slots, to stop whoever waits there and is asked to stop.
#include <coppice/detail/slot_set.h>

#include "executor/executor_core.h"

#include <coppice/detail/promise_base.h>
#include <coppice/detail/suspension.h>
#include <coppice/detail/worker_core.h>

#include <array>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

namespace {

// So many slots pay for a second worker that is awake, and for waking one: some 10 us.
constexpr std::uint32_t slots_worth_sharing = 500;
constexpr std::uint32_t slots_worth_waking = 2'000;

// A later walk has a greater name.
std::uint64_t next_walk() noexcept {
  static constinit atomic<std::uint64_t> walks{1};
  return walks.fetch_add(1, std::memory_order_relaxed);
}

// Addresses, and no pointers: what is there may be gone, or nothing.
template <std::intptr_t From, std::intptr_t To>
void prefetch_lines(const void* around) noexcept {
  const auto middle = reinterpret_cast<std::intptr_t>(around);
  for (std::intptr_t line = From; line != To; ++line) {
    __builtin_prefetch(reinterpret_cast<const void*>(middle + 64 * line), 1);
  }
}

// What the frame's owner, a task, has in its cell around its node.
void prefetch_task(const cancel_node* node) noexcept {
  prefetch_lines<-2, 5>(node);
}

// Where the leaf was a task's, and that has ended, nothing follows. Else something goes on, for as long as it likes, and
// must not hold up those who wait for the leaves before.
void stop(suspension& waiter, worker_core& here) noexcept {
  const std::coroutine_handle<> then = waiter.stop(here);
  if (then != nothing_next()) {
    here.ledger.settle(here);
    then.resume();
  }
  if (here.next != nullptr || here.stopping != nullptr) {
    here.ledger.settle(here);
    here.settle();
  }
}

// That whatever waits directly in a set is to stop, says the branch whose set it is: at that epoch.
struct verdict {
  std::uint64_t set = 0;  // 0: of none.
  epoch at = 0;
};

// Resumes, or stops, or leaves alone whoever waits at the slot. It is taken back to arming meanwhile, as by its
// suspender: what comes in between leaves `fired`, and is then ours to make good. True if all that waits directly in
// the same set is to stop, at the epoch `now`.
bool look_at(slot& at, std::uint64_t generation, worker_core& here, epoch& now) noexcept {
  if (!at.retract(generation)) {
    return false;
  }
  suspension& waiter = at.waiter();
  prefetch_task(waiter.asks());
  switch (waiter.publish_again(here, at, generation)) {
    case suspension::end_of_suspending::asleep:
      return false;
    case suspension::end_of_suspending::over:
      here.post(waiter.resumption());
      return false;
    case suspension::end_of_suspending::stopped:
      break;
  }
  now = here.cancel_epoch->load(std::memory_order_seq_cst);  // S3
  cancel_node* const deciding = at.direct() ? waiter.asks()->decides_directly() : nullptr;
  const bool all = deciding != nullptr && deciding->cancelled_at(now);
  stop(waiter, here);
  return all;
}

// Where a walk stands in one set: goes once through all chunks; in one that it shares three times, through those of
// the own shard that nobody has begun, all that nobody has begun, and all that have been begun and not done.
class position {
 public:
  enum class pass : std::uint8_t { own, unbegun, undone };

  position() noexcept = default;
  explicit position(slot_chunk& first) noexcept : first_(&first), set_(first.set()), walk_(0) {
    begin_pass(pass::unbegun);
  }

  // The walk of that name; from the beginning.
  void share(std::uint64_t walk, const worker_core& here) noexcept {
    walk_ = walk;
    begin_pass(pass::own);
    while (shard_ != nullptr && shard_->set() == set_ && shard_->worker() != &here) {
      shard_ = shard_->next_shard();
    }
    chunk_ = shard_;
    skip();
  }
  std::uint64_t walk() const noexcept { return walk_; }

  // Of the chunk that it is in, now; 0: it is in none.
  std::uint64_t set() const noexcept { return chunk_ != nullptr ? chunk_->set() : 0; }

  bool over() const noexcept { return chunk_ == nullptr; }
  void end() noexcept { chunk_ = nullptr; }

  // The next slot; null if the set has been closed, for then nobody is left there, and at the end of a chunk.
  slot* next() noexcept {
    if (chunk_->set() != set_) {
      chunk_ = nullptr;
      return nullptr;
    }
    const std::uint32_t capacity = chunk_->capacity();
    if (next_ != capacity) {
      const std::uint32_t at = next_++;
      if (pass_ == pass::undone) {
        return chunk_->begin() + (capacity - 1 - at);
      }
      prefetch(capacity);
      return chunk_->begin() + at;
    }
    if (walk_ != 0) {
      chunk_->done_for(walk_);
    }
    return nullptr;
  }

  // Behind the end of a chunk: to the next.
  void go_on() noexcept {
    if (chunk_ != nullptr) {
      advance();
      skip();
    }
  }

 private:
  // A frame is not read before its slot is won, for it may be gone: but it may be fetched.
  void prefetch(std::uint32_t capacity) const noexcept {
    constexpr std::uint32_t ahead = 8;
    if (next_ + ahead < capacity) {
      prefetch_lines<-3, 2>(chunk_->begin()[next_ + ahead].target());
    }
  }

  void begin_pass(pass which) noexcept {
    pass_ = which;
    shard_ = first_;
    chunk_ = first_;
    next_ = 0;
  }

  void advance() noexcept {
    next_ = 0;
    chunk_ = chunk_->next();
    if (chunk_ == nullptr && pass_ != pass::own) {
      shard_ = shard_->next_shard();
      chunk_ = shard_;
    }
  }

  // To the next chunk that is ours to walk.
  void skip() noexcept {
    if (walk_ == 0) {
      return;
    }
    for (;;) {
      while (chunk_ != nullptr && chunk_->set() == set_ &&
             (pass_ == pass::undone ? chunk_->is_done_for(walk_) : !chunk_->begin_for(walk_))) {
        advance();
      }
      if (chunk_ != nullptr || pass_ == pass::undone) {
        return;
      }
      begin_pass(pass_ == pass::own ? pass::unbegun : pass::undone);
    }
  }

  // Unset until there is one: a walk has room for many.
  slot_chunk* first_;
  slot_chunk* shard_;
  slot_chunk* chunk_;
  std::uint64_t set_;
  std::uint64_t walk_;  // 0: not shared.
  std::uint32_t next_;
  pass pass_;
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

// As many slots as the set has, or the least number that is enough.
std::uint32_t count_slots(slot_chunk& first, std::uint32_t enough) noexcept {
  std::uint32_t count = 0;
  for (slot_chunk* shard = &first; shard != nullptr; shard = shard->next_shard()) {
    for (slot_chunk* chunk = shard; chunk != nullptr; chunk = chunk->next()) {
      count += chunk->capacity();
      if (count >= enough || chunk->set() != first.set()) {
        return count;
      }
    }
  }
  return count;
}

}  // namespace

// Depth first. Of one set, slots in the order of their chunks.
class walker {
 public:
  explicit walker(worker_core& here) noexcept
      : here_(here),
        kept_scope_(here.scope),
        kept_next_(std::exchange(here.next, nullptr)),
        kept_stopping_(std::exchange(here.stopping, nullptr)) {
    at_.end();
    here_.ledger.begin_walk();
  }
  walker(const walker&) = delete;
  walker& operator=(const walker&) = delete;

  // Also in the midst of a coroutine that runs.
  ~walker() {
    here_.ledger.end_walk(here_);
    here_.scope = kept_scope_;
    here_.next = kept_next_;
    here_.stopping = kept_stopping_;
  }

  void enter(slot_chunk& first) noexcept {
    begin(first);
    run();
  }

  // False if it has left the rest to others.
  bool join(slot_chunk& first, std::uint64_t walk) noexcept {
    joined_ = true;
    at_ = position(first);
    at_.share(walk, here_);
    run();
    return joined_;
  }

  void visit(slot& each) noexcept {
    const slot::view seen = each.look();
    if (seen.at == slot::state::suspended) {
      visit_waiting(each, seen.generation);
    } else if (seen.at == slot::state::link) {
      if (slot_chunk* const first = each.linked(seen)) {
        descend(*first);
      }
    }
  }

 private:
  // Where the verdict is known already, and still stands, the leaf's node need not be asked. Both are looked at behind
  // the slot: so the wait is one of that set, if the claim wins, and a shield that was there before it is seen.
  void visit_waiting(slot& each, std::uint64_t generation) noexcept {
    const std::uint64_t set = at_.set();
    if (set == known_.set && set != 0 && each.direct() &&
        here_.cancel_epoch->load(std::memory_order_seq_cst) == known_.at) {  // S3
      if (each.claim_suspended(generation)) {
        stop(each.waiter(), here_);
      }
      return;
    }
    epoch now = 0;
    const bool all = look_at(each, generation, here_, now);
    known_ = all ? verdict{set, now} : verdict();
  }

  void run() noexcept {
    for (;;) {
      while (!at_.over()) {
        if (slot* const each = at_.next()) {
          visit(*each);
        } else {
          end_chunk();
        }
      }
      if (shared_ != 0 && at_.walk() == shared_) {
        shared_ = 0;
        here_.end_sharing();
      }
      if (above_.empty()) {
        return;
      }
      at_ = above_.pop();
    }
  }

  // Who has joined has other things to see to: timers apart, which others see to, what comes from outside.
  void end_chunk() noexcept {
    here_.ledger.settle(here_);
    if (joined_ && above_.empty() &&
        (here_.home.submitted_in_sight() || here_.home.wakes_in_sight())) {
      joined_ = false;
      at_.end();
    } else {
      at_.go_on();
    }
  }

  void begin(slot_chunk& first) noexcept {
    at_ = position(first);
    const std::uint32_t slots = shared_ == 0 ? count_slots(first, slots_worth_waking) : 0;
    if (slots >= slots_worth_sharing) {
      const std::uint64_t walk = next_walk();
      if (here_.share_walk(first, walk, slots >= slots_worth_waking)) {
        shared_ = walk;
        at_.share(walk, here_);
      }
    }
  }

  void descend(slot_chunk& first) noexcept {
    if (!at_.over() && !above_.push(at_)) {
      walker deeper(here_);  // Without memory, on the stack.
      deeper.enter(first);
      return;
    }
    begin(first);
  }

  worker_core& here_;
  cancel_node* const kept_scope_;
  const std::coroutine_handle<> kept_next_;
  promise_base* const kept_stopping_;
  std::uint64_t shared_ = 0;  // The walk that others may join.
  bool joined_ = false;       // It is another worker's.
  verdict known_;
  position at_;
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

bool walk::join(slot_chunk& first, std::uint64_t shared, worker_core& here) noexcept {
  return walker(here).join(first, shared);
}

}  // namespace coppice::inline v0::detail
