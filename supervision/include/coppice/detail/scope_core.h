// What a scope is behind its references: counted, so that a handle may outlive it. Its node stands in the tree.
//
// Invariants
//   SC1  `live_` counts the body, each child and each scope opened below that is no part of the body. Who takes it to
//        zero hands the scope to its joiner, and touches nothing of it afterwards.
//   SC2  Nothing enters a scope whose count is zero; so what is counted keeps the scope open, and all above it.
//
// Orderings
//   SC3  Who leaves releases what it did, who takes the count to zero acquires it and alone goes on.
//   SC4  A request is made, then the fan-out is queued unless it is; the fan-out says that it is not queued any more,
//        then walks: each request is followed by a walk.
//   SC5  Who ends in a scope makes a request, then looks whether anybody else is counted; who enters is counted, then
//        looks for a request: one of the two sees the other. So where nobody else is, nobody need be told.
#pragma once

#include <coppice/cancel.h>
#include <coppice/clock.h>
#include <coppice/detail/alarm.h>
#include <coppice/detail/atomic.h>
#include <coppice/detail/cancel_node.h>
#include <coppice/detail/executor_link.h>
#include <coppice/detail/export.h>
#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/reference_count.h>
#include <coppice/detail/token_place.h>
#include <coppice/report.h>
#include <coppice/site.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::inline v0::detail {

// Whoever waits until everything in a scope has ended.
class scope_joiner : public job {
 protected:
  scope_joiner() noexcept = default;
  ~scope_joiner() = default;
};

class COPPICE_EXPORT scope_core : job {
 public:
  scope_core(const scope_core&) = delete;
  scope_core& operator=(const scope_core&) = delete;

  void add_reference() noexcept { references_.add(); }
  void drop(std::uint32_t references = 1) noexcept {
    if (references_.drop(references)) {
      delete this;
    }
  }

  std::string_view name() const noexcept { return name_; }
  source_site site() const noexcept { return site_; }
  virtual const char* kind() const noexcept { return "scope"; }
  virtual cancel_node& node() noexcept = 0;

  // Null if it takes no tasks.
  virtual task_keeper* keeper() noexcept { return nullptr; }

  // Any thread that holds a reference. Allocates nothing, runs no user code; of no effect once closed.
  virtual void cancel(const cancel_reason& reason) noexcept;
  virtual void request_shutdown() noexcept;
  bool closed() const noexcept { return closed_.load(std::memory_order_seq_cst); }  // SC3 N2
  cancel_token token() { return tokens_.make(node(), home_); }

  // Any thread while the scope is open.
  bool cancelled() noexcept;
  bool requested() noexcept { return node().requested(); }
  cancel_reason reason() noexcept {
    return closed() ? reason_access::share(known_reason()) : node().reason();
  }
  bool expired() const noexcept {
    const reason_block* const why = reason_.get();
    return why != nullptr && why->kind() == cancel_kind::deadline &&
           expired_.load(std::memory_order_relaxed);
  }

  // Somebody has to hear of it when all has left. Before anybody can leave.
  void join_by(scope_joiner& joiner) noexcept { joiner_ = &joiner; }

  // Counts one more in; false if the scope is closed.
  bool enter_open() noexcept;
  void leave(std::uint32_t so_many = 1) noexcept;

  // The same of one who goes on with what the joiner is for: true if nothing else is left, and nobody is then told.
  bool leave_last() noexcept;

  // The body has ended, or whatever stands for it. As leave_last().
  virtual bool leave_body() noexcept { return leave_last(); }
  void tell_joiner() noexcept;
  std::size_t live() const noexcept { return live_.load(std::memory_order_relaxed); }

  // Everything has left, and the host is about to be told.
  virtual void leaving() noexcept {}

  // Everything has left. On a worker.
  void close(worker_core& here) noexcept;

  // It has been left to the root, with all that is still in it: its host goes on, and does not close it.
  virtual bool left() const noexcept { return false; }

  // The body's worker.
  void reschedule(std::optional<time_point> when);
  std::optional<time_point> deadline() const noexcept;
  void set_shield(bool on) noexcept;
  void bind(std::stop_token foreign);

  error_handler on_error(error_handler handler);
  std::shared_ptr<const error_handler> handler() const;

  const executor_ref& home() const noexcept { return home_; }

  // For the node.
  token_place& tokens() noexcept { return tokens_; }
  const reason_block* known_reason() noexcept {
    return requested() ? reason_.get() : learned_.get();
  }
  void learn(const reason_block& why) noexcept {
    if (learned_.get() == nullptr) {
      why.add_reference();
      learned_.offer(&why);
    }
  }
  virtual const binding_ref* bindings() const noexcept { return nullptr; }

 protected:
  scope_core(std::string_view name, const source_site& site, const executor_ref& home);
  virtual ~scope_core();

  // The reason has been given.
  void request() noexcept;

  // Asks the others to stop, says one who is counted and has come to its end.
  void cancel_others(const cancel_reason& reason) noexcept;

  // Moves the epoch and has what waits below walked to.
  void fan_out() noexcept;

  // By one who is counted, and on a worker: from here on somebody else hears of the end, and no handler or deadline of
  // the host's is left. Returns who would have.
  scope_joiner& pass_to(scope_joiner& other, worker_core& here) noexcept;

 private:
  // The scope's deadline.
  class limit final : public alarm {
   public:
    explicit limit(scope_core& of) noexcept : alarm(rings::anywhere), of_(of) {}

   private:
    void ring(worker_core& here) noexcept override;
    void keep() noexcept override { of_.add_reference(); }
    void let_go() noexcept override { of_.drop(); }

    scope_core& of_;
  };

  struct stop_caller {
    scope_core* of;
    void operator()() const noexcept { of->cancel(cancel_reason("std::stop_token", {})); }
  };

  static void deliver(job& self, worker_core& here) noexcept;
  virtual void close_node(worker_core& here) noexcept = 0;
  void forget_handler() noexcept;
  void expire(const reason_block& why) noexcept;

  const std::string name_;
  const source_site site_;
  const executor_ref home_;
  reference_count references_;
  atomic<std::uint64_t> live_{1};
  atomic<bool> closed_{false};   // close().
  atomic<bool> queued_{false};   // Whoever queues the fan-out; it itself.
  atomic<bool> expired_{false};  // The deadline.
  atomic<bool> heard_{false};    // on_error().
  scope_joiner* joiner_ = nullptr;
  reason_slot reason_;   // Of its own request.
  reason_slot learned_;  // Of one above.
  token_place tokens_;
  limit limit_{*this};
  atomic<time_point> deadline_{time_point::max()};  // The body's worker; dumps and polls read.
  mutable std::mutex mutex_;
  std::shared_ptr<const error_handler> handler_;  // Under the lock.
  std::vector<std::unique_ptr<std::stop_callback<stop_caller>>>
      foreign_stops_;  // The body's worker.
};

// A scope's node, of the kind that it needs.
template <class Node>
class scope_node : public Node {
 public:
  template <class... From>
  explicit scope_node(scope_core& of, From... from) noexcept : Node(from...), of_(of) {}

  scope_core* scope() noexcept override { return &of_; }
  token_place* tokens() noexcept override { return &of_.tokens(); }
  bool ended() const noexcept override { return of_.closed(); }
  const binding_ref* bindings() const noexcept override { return of_.bindings(); }
  time_point deadline() const noexcept override {
    return of_.deadline().value_or(time_point::max());
  }
  bool hear(const error_report& report) override {
    const std::shared_ptr<const error_handler> handler = of_.handler();
    if (handler == nullptr) {
      return false;
    }
    (*handler)(report);
    return true;
  }
  std::string label() const override {
    return of_.name().empty() ? std::string(of_.kind()) : std::string(of_.name());
  }

  scope_core& of() const noexcept { return of_; }

 private:
  const reason_block* known_reason() const noexcept override { return of_.known_reason(); }
  void learn(const reason_block& why) noexcept override { of_.learn(why); }

  scope_core& of_;
};

// A scope in which one thing happens at a time: what with_scope opens.
class COPPICE_EXPORT strand_scope : public scope_core {
 public:
  strand_scope(std::string_view name, const source_site& site, const worker_core& here)
      : scope_core(name, site, here.executor()), node_(*this, here.scope, epoch{0}) {}

  cancel_node& node() noexcept override { return node_; }

 private:
  void close_node(worker_core& here) noexcept override { node_.close(here); }

  scope_node<strand_node> node_;
};

// A counted reference to a scope.
class core_ref {
 public:
  core_ref() noexcept = default;
  explicit core_ref(scope_core* counted) noexcept : core_(counted) {}  // Takes it over.
  static core_ref share(scope_core* borrowed) noexcept {
    if (borrowed != nullptr) {
      borrowed->add_reference();
    }
    return core_ref(borrowed);
  }
  core_ref(const core_ref& other) noexcept : core_ref(share(other.core_)) {}
  core_ref(core_ref&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  core_ref& operator=(core_ref other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~core_ref() {
    if (core_ != nullptr) {
      core_->drop();
    }
  }

  scope_core* get() const noexcept { return core_; }
  scope_core* operator->() const noexcept { return core_; }
  explicit operator bool() const noexcept { return core_ != nullptr; }

 private:
  scope_core* core_ = nullptr;
};

// The innermost scope that the running code stands under: at last the runtime's root; null where there is none.
COPPICE_EXPORT scope_core* innermost_scope(const worker_core& here) noexcept;

// Is it asked to stop, or one above it, up to a shield?
COPPICE_EXPORT bool cancelled_now(cancel_node& node, const worker_core& here) noexcept;

}  // namespace coppice::inline v0::detail
