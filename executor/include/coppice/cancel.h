// Why something is being cancelled, and the token by which running code sees it.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/reason_block.h>
#include <coppice/detail/token_block.h>
#include <coppice/site.h>

#include <iosfwd>
#include <stop_token>
#include <string_view>
#include <utility>

namespace coppice::inline v0 {

enum class cancel_kind {
  requested,
  deadline,
  sibling_failed,
  parent_cancelled,
  shutdown,
  fatal,
  misuse
};

// The enumerator's name.
COPPICE_EXPORT std::string_view to_string(cancel_kind kind) noexcept;

namespace detail {

struct reason_access;

// The task that runs on this thread; none outside tasks.
COPPICE_EXPORT task_id current_task_id() noexcept;

}  // namespace detail

// Why a scope was cancelled: immutable, one pointer wide, cheap to copy, text shared. Made in plain
// code, so cancel() itself never allocates; if the text cannot be allocated the reason is made
// without it. A scope keeps the first reason it is given. A moved-from one is a plain request
// without text.
class cancel_reason {
 public:
  cancel_reason(source_site where = source_site::current()) noexcept  // Kind requested, no text.
      : cancel_reason(cancel_kind::requested, std::string_view{}, where) {}

  cancel_reason(const char* message, source_site where = source_site::current()) noexcept
      : cancel_reason(cancel_kind::requested,
                      message != nullptr ? std::string_view(message) : std::string_view(), where) {}

  cancel_reason(std::string_view message, source_site where = source_site::current()) noexcept
      : cancel_reason(cancel_kind::requested, message, where) {}

  cancel_reason(cancel_kind kind, std::string_view message = {},
                source_site where = source_site::current()) noexcept
      : block_(detail::reason_block::make(kind, message, detail::current_task_id(), where)) {}

  cancel_reason(const cancel_reason& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) {
      block_->add_reference();
    }
  }

  cancel_reason(cancel_reason&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}

  cancel_reason& operator=(cancel_reason other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }

  ~cancel_reason() {
    if (block_ != nullptr) {
      block_->drop();
    }
  }

  cancel_kind kind() const noexcept {
    return block_ != nullptr ? block_->kind() : cancel_kind::requested;
  }

  // Empty if none was given. Valid while a copy of this reason lives.
  std::string_view message() const noexcept {
    return block_ != nullptr ? block_->text() : std::string_view();
  }

  // The task that made it, to call cancel() with; none outside tasks.
  task_id by() const noexcept { return block_ != nullptr ? block_->by() : task_id::none; }

  // Where it was made.
  source_site where() const noexcept { return block_ != nullptr ? block_->where() : source_site(); }

 private:
  friend struct detail::reason_access;

  struct adopted {};
  cancel_reason(adopted, const detail::reason_block* counted) noexcept : block_(counted) {}

  const detail::reason_block*
      block_;  // One reference is ours. Null: a plain request, made nowhere.
};

// One line: "deadline: too slow (by task 7, at server.cpp:34)", without what is not known.
COPPICE_EXPORT std::ostream& operator<<(std::ostream& out, const cancel_reason& reason);

namespace detail {

// The rooms' way from a reason to its body and back. Nothing here allocates.
struct reason_access {
  // A plain request, made nowhere: costs no place in the store.
  static cancel_reason none() noexcept { return adopt(nullptr); }

  // The reason of its kind that needs no memory, nor a place in the store.
  static cancel_reason immortal(cancel_kind kind) noexcept {
    return adopt(reason_block::immortal(kind));
  }

  // Takes over a reference; null gives none().
  static cancel_reason adopt(const reason_block* counted) noexcept {
    return {cancel_reason::adopted(), counted};
  }

  // Borrowed; null for none().
  static const reason_block* body(const cancel_reason& of) noexcept { return of.block_; }

  // One more reference to a borrowed body; null gives none().
  static cancel_reason share(const reason_block* borrowed) noexcept {
    if (borrowed != nullptr) {
      borrowed->add_reference();
    }
    return adopt(borrowed);
  }

  // Hands over the reference; never null.
  static const reason_block* release(cancel_reason reason) noexcept {
    const reason_block* const block = std::exchange(reason.block_, nullptr);
    return block != nullptr ? block : reason_block::immortal(cancel_kind::requested);
  }
};

struct token_access;

}  // namespace detail

// Sees the request of one scope or task: level, sticky, counted (outlives its scope). Any thread
// may use any copy. An empty token never stops.
class cancel_token {
 public:
  cancel_token() noexcept = default;

  cancel_token(const cancel_token& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) {
      block_->add_reference();
    }
  }

  cancel_token(cancel_token&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}

  cancel_token& operator=(cancel_token other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }

  ~cancel_token() {
    if (block_ != nullptr) {
      block_->drop();
    }
  }

  // About one load; true from the request on for ever, for requests above the scope as well. Then
  // reason() is known, and all that the canceller did before is visible. It makes no deadline pass:
  // where every worker computes, let one of them ask cancel_requested() now and then.
  bool stop_requested() const noexcept { return block_ != nullptr && block_->requested(); }

  // False for an empty token only.
  bool stop_possible() const noexcept { return block_ != nullptr; }

  // The first reason; meaningful once stop_requested().
  cancel_reason reason() const noexcept {
    return detail::reason_access::share(block_ != nullptr ? block_->reason() : nullptr);
  }

  // For foreign code. Allocates, may throw std::bad_alloc. Its callbacks run on a worker, never
  // inside cancel(); one that is registered after the stop runs at once, in its own thread. Of an
  // empty token: one that never stops.
  std::stop_token to_std_stop_token() const {
    return block_ != nullptr ? block_->std_token() : std::stop_token();
  }

 private:
  friend struct detail::token_access;

  explicit cancel_token(detail::token_block* counted) noexcept : block_(counted) {}

  detail::token_block* block_ = nullptr;  // One reference is ours.
};

namespace detail {

struct token_access {
  // Takes over a reference; null gives an empty token.
  static cancel_token adopt(token_block* counted) noexcept { return cancel_token(counted); }

  // One more reference; null gives an empty token.
  static cancel_token share(token_block* borrowed) noexcept {
    if (borrowed != nullptr) {
      borrowed->add_reference();
    }
    return cancel_token(borrowed);
  }
};

}  // namespace detail

// For CPU loops: is the current task asked to stop? A plain call; false outside tasks and below a
// shield. It delivers nothing. Deadlines that are due pass in it, about every 50 us: they do so
// while every worker computes.
COPPICE_EXPORT bool cancel_requested() noexcept;

}  // namespace coppice::inline v0
