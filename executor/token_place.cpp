#include <coppice/detail/token_place.h>

#include <coppice/detail/cancel_node.h>

#include <new>

namespace coppice::inline v0::detail {

cancel_token token_place::make(cancel_node& of, const executor_ref& home) {
  token_block* block = block_.load(std::memory_order_acquire);  // N2
  if (block == nullptr) {
    token_block* const fresh = token_block::make();
    if (fresh == nullptr) {
      throw std::bad_alloc();
    }
    fresh->watch(of, home);
    if (block_.compare_exchange_strong(block, fresh, std::memory_order_seq_cst,  // N2
                                       std::memory_order_acquire)) {             // N2
      block = fresh;
      if (of.ended()) {  // N2
        block->detach(false);
      }
    } else {
      fresh->drop();
    }
  }
  return token_access::share(block);
}

}  // namespace coppice::inline v0::detail
