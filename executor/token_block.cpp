#include <coppice/detail/token_block.h>

#include <memory>
#include <new>

namespace coppice::inline v0::detail {

token_block* token_block::make() noexcept {
  return new (std::nothrow) token_block;
}

void token_block::destroy(token_block* block) noexcept {
  delete block;
}

token_block::~token_block() {
  void* const source = source_.load(std::memory_order_relaxed);
  if (source != this) {
    delete static_cast<std::stop_source*>(source);
  }
}

void token_block::mark(const reason_block* counted) noexcept {
  reason_.offer(counted);
  requested_.store(true, std::memory_order_release);  // CT1
  void* source = nullptr;
  if (!source_.compare_exchange_strong(source, this, std::memory_order_acquire,  // CT2
                                       std::memory_order_acquire) &&             // CT2
      source != this) {
    static_cast<std::stop_source*>(source)->request_stop();
  }
}

std::stop_token token_block::std_token() {
  void* source = source_.load(std::memory_order_acquire);  // CT2
  if (source == nullptr || source == this) {
    auto made = std::make_unique<std::stop_source>();
    do {
      if (source == this) {
        made->request_stop();  // Nobody can have registered a callback yet.
      }
      if (source_.compare_exchange_strong(source, made.get(),
                                          std::memory_order_acq_rel,     // CT2
                                          std::memory_order_acquire)) {  // CT2
        source = made.release();
      }
    } while (source == this);
  }
  return static_cast<std::stop_source*>(source)->get_token();
}

}  // namespace coppice::inline v0::detail
