// The shared, immutable body of a cancel_reason, and the slot in which a scope keeps its first one.
//
// A scope must be able to keep its first reason inside cancel(), which never allocates and may be
// called by anybody at any time. So the body is made earlier, with the reason itself, and cancel()
// only hands over a counted pointer. Making one never fails and throws nothing:
//   1. A body without text, or with a short one, comes from a fixed store: no allocation, no lock,
//      async-signal-safe. `scope.cancel()` as it is mostly written asks for no memory at all.
//   2. A long text, or a store that is used up, takes memory.
//   3. If there is none: the text is left out, and the store is tried.
//   4. If that is used up as well: a static body of the same kind stands in. It is the only case in
//      which where and by are lost.
//
// Orderings
//   CR1  offer() releases the body, get() acquires it: who finds a reason in a slot sees all of it.
//   CR2  giving a place back to the store releases, taking it acquires: the new user comes after
//        the last look of the old.
#pragma once

#include <coppice/detail/atomic.h>
#include <coppice/detail/export.h>
#include <coppice/detail/reference_count.h>
#include <coppice/site.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coppice::inline v0 {

enum class cancel_kind;

namespace detail {

class backtrace;

class reason_block {
 public:
  // One reference is the caller's. Never null.
  COPPICE_EXPORT static const reason_block* make(cancel_kind kind, std::string_view text,
                                                 task_id by, source_site where) noexcept;

  // The static body of a kind, which nobody counts: what a signal handler may use. Never null.
  COPPICE_EXPORT static const reason_block* immortal(cancel_kind kind) noexcept;

  reason_block(const reason_block&) = delete;
  reason_block& operator=(const reason_block&) = delete;

  cancel_kind kind() const noexcept { return kind_; }
  std::string_view text() const noexcept { return {text_, text_size_}; }
  task_id by() const noexcept { return by_; }
  source_site where() const noexcept { return where_; }

  // Who made it, where COPPICE_DEBUG is on; else null.
  const backtrace* made_by() const noexcept { return made_by_; }

  void add_reference() const noexcept {
    if (home_ != home::immortal) {
      add_counted();
    }
  }

  void drop() const noexcept {
    if (home_ != home::immortal) {
      drop_counted();
    }
  }

 private:
  friend class walk_ledger;

  // Out of what a worker that walks keeps, if it is one's own.
  COPPICE_EXPORT void add_counted() const noexcept;
  COPPICE_EXPORT void drop_counted() const noexcept;

  void add_references(std::uint32_t references) const noexcept { references_.add(references); }
  void drop_references(std::uint32_t references) const noexcept {
    if (references_.drop(references)) {
      destroy(this);
    }
  }

  enum class home : unsigned char { immortal, store, heap };

  constexpr explicit reason_block(cancel_kind kind) noexcept : home_(home::immortal), kind_(kind) {}
  reason_block(home place, cancel_kind kind, const char* text, std::size_t text_size, task_id by,
               source_site where) noexcept
      : home_(place), kind_(kind), text_(text), text_size_(text_size), by_(by), where_(where) {}

  COPPICE_EXPORT static void destroy(const reason_block* block) noexcept;

  mutable reference_count references_;
  const home home_;
  const cancel_kind kind_;
  const char* const text_ = "";  // Lies directly behind the block.
  const std::size_t text_size_ = 0;
  const task_id by_ = task_id::none;
  const source_site where_;
  const backtrace* made_by_ = nullptr;  // make(), and its own.
};

// Keeps the first reason that is offered, for ever. Lives in a scope or beside a flag that says
// "cancelled"; the reason is offered before the flag is set.
class reason_slot {
 public:
  constexpr reason_slot() noexcept = default;
  reason_slot(const reason_slot&) = delete;
  reason_slot& operator=(const reason_slot&) = delete;
  ~reason_slot() {
    if (const reason_block* const kept = reason_.load(std::memory_order_relaxed)) {
      kept->drop();
    }
  }

  // Takes over the caller's reference, and drops it unless it was the first: then true. Any thread;
  // never waits.
  bool offer(const reason_block* counted) noexcept {
    const reason_block* none = nullptr;
    if (reason_.compare_exchange_strong(none, counted, std::memory_order_release,  // CR1
                                        std::memory_order_relaxed)) {
      return true;
    }
    counted->drop();
    return false;
  }

  // Borrowed for as long as the slot lives; null if nothing was offered.
  const reason_block* get() const noexcept {
    return reason_.load(std::memory_order_acquire);  // CR1
  }

 private:
  atomic<const reason_block*> reason_{nullptr};  // The first offer; its reference is the slot's.
};

}  // namespace detail
}  // namespace coppice::inline v0
