// Links, and who may still use them.
#include <coppice/detail/executor_link.h>

#include "executor/executor_core.h"
#include "executor/process_locks.h"

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace coppice::inline v0::detail {

namespace {

// In the child of a fork() the parent's executors stay among those that live.
struct census {
  std::mutex& mutex = mutex_of(process_lock::executors);
  std::vector<std::unique_ptr<executor_link>> links;  // Under the lock, as all here.
  std::vector<executor_link*> closed;
  std::uint64_t ids = 0;

  static census& instance() {
    static auto* const only = new census;  // Never destroyed: handles may outlive everything.
    return *only;
  }
};

}  // namespace

executor_link& executor_link::open(executor_core& to) {
  census& all = census::instance();
  const std::lock_guard lock(all.mutex);
  if (all.closed.empty()) {
    all.closed.reserve(all.links.size() + 1);  // close() must not ask for memory.
    all.links.push_back(std::make_unique<executor_link>());
    all.closed.push_back(all.links.back().get());
  }
  executor_link& link = *all.closed.back();
  all.closed.pop_back();
  link.id_.store(++all.ids, std::memory_order_relaxed);
  link.core_.store(&to, std::memory_order_seq_cst);  // EL1
  return link;
}

void executor_link::close() noexcept {
  core_.store(nullptr, std::memory_order_seq_cst);      // EL1
  while (pins_.load(std::memory_order_seq_cst) != 0) {  // EL1
    std::this_thread::yield();
  }
  census& all = census::instance();
  const std::lock_guard lock(all.mutex);
  all.closed.push_back(this);
}

std::size_t executor_link::open_links() noexcept {
  census& all = census::instance();
  const std::lock_guard lock(all.mutex);
  return all.links.size() - all.closed.size();
}

executor_pin::executor_pin(const executor_ref& to) noexcept : link_(*to.link) {
  link_.pins_.fetch_add(1, std::memory_order_seq_cst);    // EL1
  pinned_ = link_.core_.load(std::memory_order_seq_cst);  // EL1
  if (pinned_ != nullptr && link_.id() != to.id) {
    pinned_ = nullptr;  // Another's by now.
  }
}

void executor_pin::bump_epoch() const noexcept {
  pinned_->bump_epoch();
}

void executor_pin::post(job& ready) const noexcept {
  pinned_->post(ready);
}

executor_pin::~executor_pin() {
  link_.pins_.fetch_sub(1, std::memory_order_release);  // EL1
}

}  // namespace coppice::inline v0::detail
