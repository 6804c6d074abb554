// What task_locals are bound to: a chain of values, innermost first, that tasks share.
#pragma once

#include <coppice/detail/reference_count.h>

#include <utility>

namespace coppice::inline v0::detail {

// One value, bound to one key. Immutable once others see it; it holds a reference to those further out.
class binding {
 public:
  binding(const binding&) = delete;
  binding& operator=(const binding&) = delete;

  const void* key() const noexcept { return key_; }
  const void* value() const noexcept { return value_; }
  bool inherited() const noexcept { return inherited_; }
  const binding* outer() const noexcept { return outer_; }

  void add_reference() const noexcept { references_.add(); }

  // The chain may be long, and goes one by one.
  void drop() const noexcept {
    const binding* last = this;
    while (last != nullptr && last->references_.drop()) {
      const binding* const next = last->outer_;
      delete last;
      last = next;
    }
  }

 protected:
  binding(const void* key, bool inherited) noexcept : key_(key), inherited_(inherited) {}
  virtual ~binding() = default;

  // Takes over a reference. Once, before others see it.
  void hang_below(const binding* outer) noexcept { outer_ = outer; }

  const void* value_ = nullptr;  // The derived class.

 private:
  const void* const key_;
  const bool inherited_;            // By tasks that are spawned below.
  const binding* outer_ = nullptr;  // hang_below().
  mutable reference_count references_;
};

// A counted reference to a chain; null for an empty one.
class binding_ref {
 public:
  binding_ref() noexcept = default;
  explicit binding_ref(const binding* counted) noexcept : chain_(counted) {}  // Takes it over.
  static binding_ref share(const binding* borrowed) noexcept {
    if (borrowed != nullptr) {
      borrowed->add_reference();
    }
    return binding_ref(borrowed);
  }
  binding_ref(const binding_ref& other) noexcept : binding_ref(share(other.chain_)) {}
  binding_ref(binding_ref&& other) noexcept : chain_(std::exchange(other.chain_, nullptr)) {}
  binding_ref& operator=(binding_ref other) noexcept {
    std::swap(chain_, other.chain_);
    return *this;
  }
  ~binding_ref() {
    if (chain_ != nullptr) {
      chain_->drop();
    }
  }

  const binding* get() const noexcept { return chain_; }
  const binding* release() noexcept { return std::exchange(chain_, nullptr); }

 private:
  const binding* chain_ = nullptr;
};

}  // namespace coppice::inline v0::detail
