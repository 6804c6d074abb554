// Where a node keeps the block that its tokens share, from the first token on.
//
// Orderings
//   N2  make() publishes the block, then looks whether the node has ended; who ends it says so, then looks for a block:
//       all four in one total order, so one of the two takes the node away from the block.
#pragma once

#include <coppice/cancel.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/executor_link.h>
#include <coppice/detail/export.h>

namespace coppice::inline v0::detail {

class cancel_node;

class COPPICE_EXPORT token_place {
 public:
  token_place() noexcept = default;
  token_place(const token_place&) = delete;
  token_place& operator=(const token_place&) = delete;
  ~token_place() {
    if (token_block* const block = block_.load(std::memory_order_relaxed)) {
      block->drop();
    }
  }

  // Any thread that keeps the place from going away. Throws std::bad_alloc.
  cancel_token make(cancel_node& of, const executor_ref& home);

  // The node says that it has ended, and is about to close: its tokens show for ever what they would show now.
  void close() noexcept {
    if (token_block* const block = block_.load(std::memory_order_seq_cst)) {  // N2
      block->detach(true);
    }
  }

 private:
  atomic<token_block*> block_{nullptr};  // The first to ask for a token.
};

}  // namespace coppice::inline v0::detail
