#include <coppice/detail/token_block.h>

#include "executor/executor_core.h"

#include <coppice/detail/cancel_node.h>

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

bool token_block::look(epoch now) noexcept {
  const std::lock_guard lock(mutex_);
  if (node_ == nullptr) {
    return requested_.load(std::memory_order_acquire);  // CT1
  }
  if (node_->cancelled_at(now)) {
    request(reason_access::release(node_->reason()));
    return true;
  }
  seen_.store(now, std::memory_order_relaxed);
  return false;
}

void token_block::detach(bool look_first) noexcept {
  bool stop = false;
  {
    const std::lock_guard lock(mutex_);
    if (node_ != nullptr) {
      // Who has set the flag may not have moved the epoch yet.
      const bool asked =
          node_->requested() ||
          (look_first &&
           node_->cancelled_at(home_.link->cancels.load(std::memory_order_acquire)));  // E1
      if (asked) {
        request(reason_access::release(node_->reason()));
      }
      node_ = nullptr;
    }
    stop = listed_;
  }
  if (stop) {
    mark_if_requested();
  }
}

bool token_block::watching() noexcept {
  const std::lock_guard lock(mutex_);
  return node_ != nullptr;
}

std::stop_token token_block::std_token() {
  const auto given = [this] {
    void* const source = source_.load(std::memory_order_acquire);  // CT2
    return source != this ? static_cast<std::stop_source*>(source) : nullptr;
  };
  if (const std::stop_source* const source = given()) {
    return source->get_token();
  }
  const std::lock_guard making(making_);
  if (const std::stop_source* const source = given()) {
    return source->get_token();
  }
  auto made = std::make_unique<std::stop_source>();
  list();
  void* none = nullptr;
  // Asked behind the listing: who asks to stop later finds it in the list. And ahead of the
  // publication: nobody can have registered a callback yet, which would run here.
  if (requested() || !source_.compare_exchange_strong(none, made.get(),
                                                      std::memory_order_acq_rel,     // CT2
                                                      std::memory_order_acquire)) {  // CT2
    made->request_stop();
    source_.store(made.get(), std::memory_order_release);  // CT2
  }
  return made.release()->get_token();
}

// So that somebody calls mark() when the node is asked to stop.
void token_block::list() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (node_ == nullptr) {
      return;
    }
    listed_ = true;
  }
  const executor_pin home(home_);
  if (home.get() != nullptr) {
    home.get()->tokens.add(*this);
    // A write of the epoch, though it changes nothing: whoever moves it later sees the block in the
    // list, and requested() sees who has moved it before.
    home_.link->cancels.fetch_add(0, std::memory_order_acq_rel);  // E1
  }
}

}  // namespace coppice::inline v0::detail
