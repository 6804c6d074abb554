// A scope's requests, deadline and handler, and who hears of its end.
#include <coppice/detail/scope_core.h>

#include <coppice/detail/worker_core.h>

#include <utility>

namespace coppice::inline v0::detail {

scope_core::scope_core(std::string_view name, const source_site& site, const executor_ref& home)
    : name_(name), site_(site), home_(home) {
  run = &scope_core::deliver;
}

scope_core::~scope_core() = default;

void scope_core::cancel(const cancel_reason& reason) noexcept {
  if (!closed()) {
    reason_.offer(reason_access::release(reason));
    request();
  }
}

// Also by one whose reason came second: the first may not have got so far.
void scope_core::request() noexcept {
  if (node().request()) {
    fan_out();
  }
}

// An epoch that moves costs every poll a walk up the tree: a failure that goes up through many scopes in which it is the
// last would else take quadratic time.
void scope_core::cancel_others(const cancel_reason& reason) noexcept {
  reason_.offer(reason_access::release(reason));
  if (node().request()) {
    node().forget();
    if (live_.load(std::memory_order_seq_cst) != 1) {  // SC5
      fan_out();
    }
  }
}

void scope_core::request_shutdown() noexcept {
  cancel(reason_access::immortal(cancel_kind::shutdown));
}

// The epoch moves twice: who saw only the first move found nothing in the inbox.
void scope_core::fan_out() noexcept {
  const executor_pin home(home_);
  if (home.get() == nullptr) {
    return;
  }
  home.bump_epoch();
  if (!queued_.exchange(true, std::memory_order_seq_cst)) {  // SC4
    add_reference();
    home.post(*this);
    home.bump_epoch();
  }
}

void scope_core::deliver(job& self, worker_core& here) noexcept {
  auto& scope = static_cast<scope_core&>(self);
  scope.queued_.store(false, std::memory_order_seq_cst);  // SC4
  here.scope = nullptr;
  if (scope.enter_open()) {  // Else nothing is left below, and what is above may be gone.
    scope.node().walk_below(here);
    scope.leave();
  }
  here.mark_tokens();
  scope.drop();
}

// A request that nobody was told of shows at the node itself.
bool scope_core::cancelled() noexcept {
  return node().requested() ||
         node().cancelled_at(home_.link->cancels.load(std::memory_order_acquire));  // E1
}

bool scope_core::enter_open() noexcept {
  std::uint64_t live = live_.load(std::memory_order_relaxed);
  do {
    if (live == 0) {
      return false;
    }
  } while (!live_.compare_exchange_weak(live, live + 1, std::memory_order_seq_cst,  // SC5
                                        std::memory_order_relaxed));
  return true;
}

// What is counted keeps the executor from going away.
void scope_core::leave(std::uint32_t so_many) noexcept {
  if (live_.fetch_sub(so_many, std::memory_order_acq_rel) == so_many) {  // SC3
    tell_joiner();
  }
}

void scope_core::tell_joiner() noexcept {
  scope_joiner* const joiner = joiner_;  // The scope is the last one's, until it is told.
  const executor_ref home_of_all = home_;
  worker_core* const here = this_worker();
  if (here != nullptr && here->executor().id == home_of_all.id) {
    here->post_next(*joiner);
  } else {
    executor_pin(home_of_all).post(*joiner);
  }
}

scope_joiner& scope_core::pass_to(scope_joiner& other, worker_core& here) noexcept {
  static_cast<void>(limit_.clear(here));
  forget_handler();
  return *std::exchange(joiner_, &other);
}

bool scope_core::leave_last() noexcept {
  return live_.fetch_sub(1, std::memory_order_acq_rel) == 1;  // SC3
}

void scope_core::close(worker_core& here) noexcept {
  node().keep_reason();
  closed_.store(true, std::memory_order_seq_cst);  // SC3 N2
  node().end_shield();
  static_cast<void>(limit_.clear(here));
  forget_handler();
  foreign_stops_.clear();
  tokens_.close();
  close_node(here);
}

void scope_core::reschedule(std::optional<time_point> when) {
  worker_core& here = *this_worker();
  if (!when || *when == time_point::max()) {
    if (limit_.clear(here)) {
      deadline_.store(time_point::max(), std::memory_order_relaxed);
    }
    return;
  }
  if (limit_.clear(here)) {
    deadline_.store(*when, std::memory_order_relaxed);
    if (*when <= here.time_now()) {
      expire(*reason_block::immortal(cancel_kind::deadline));
      return;
    }
    try {
      limit_.set(*when, here);
    } catch (...) {
      deadline_.store(time_point::max(), std::memory_order_relaxed);
      throw;
    }
  }
}

std::optional<time_point> scope_core::deadline() const noexcept {
  const time_point when = deadline_.load(std::memory_order_relaxed);
  return when == time_point::max() ? std::nullopt : std::optional(when);
}

// Those around it whose time has come as well are the reason, and not this one: the outermost is to say that it
// timed out. The scopes above are open as long as this one is.
void scope_core::limit::ring(worker_core& here) noexcept {
  if (!of_.enter_open()) {
    return;
  }
  const time_point due = of_.deadline_.load(std::memory_order_relaxed);
  for (cancel_node* each = &of_.node(); !each->shielded() && !each->parent()->is_task();) {
    each = each->parent();
    scope_core* const outer = each->scope();
    if (outer != nullptr && outer->deadline_.load(std::memory_order_relaxed) <= due &&
        here.time_now() >= due) {
      outer->expire(*reason_block::immortal(cancel_kind::deadline));
    }
  }
  of_.expire(*reason_block::immortal(cancel_kind::deadline));
  of_.leave();
}

void scope_core::expire(const reason_block& why) noexcept {
  if (!closed()) {
    expired_.store(true, std::memory_order_relaxed);  // Before anybody can see the reason.
    if (!reason_.offer(&why) && reason_.get() != &why) {
      expired_.store(false, std::memory_order_relaxed);
    }
    request();
  }
}

void scope_core::set_shield(bool on) noexcept {
  if (node().shielded() != on) {
    node().shield(on);
    fan_out();
  }
}

void scope_core::bind(std::stop_token foreign) {
  foreign_stops_.push_back(
      std::make_unique<std::stop_callback<stop_caller>>(std::move(foreign), stop_caller{this}));
}

error_handler scope_core::on_error(error_handler handler) {
  auto fresh = handler ? std::make_shared<const error_handler>(std::move(handler)) : nullptr;
  const std::lock_guard lock(mutex_);
  fresh.swap(handler_);
  heard_.store(handler_ != nullptr, std::memory_order_relaxed);
  return fresh ? *fresh : error_handler();
}

// It may hold the scope.
void scope_core::forget_handler() noexcept {
  if (heard_.load(std::memory_order_relaxed)) {
    std::shared_ptr<const error_handler> old;
    const std::lock_guard lock(mutex_);
    old.swap(handler_);
    heard_.store(false, std::memory_order_relaxed);
  }
}

std::shared_ptr<const error_handler> scope_core::handler() const {
  if (!heard_.load(std::memory_order_relaxed)) {
    return nullptr;
  }
  const std::lock_guard lock(mutex_);
  return handler_;
}

scope_core* innermost_scope(const worker_core& here) noexcept {
  for (cancel_node* each = here.scope; each != nullptr; each = each->parent()) {
    if (scope_core* const scope = each->scope()) {
      return scope;
    }
  }
  return nullptr;
}

bool cancelled_now(cancel_node& node, const worker_core& here) noexcept {
  return node.cancelled_at(here.now());
}

}  // namespace coppice::inline v0::detail
