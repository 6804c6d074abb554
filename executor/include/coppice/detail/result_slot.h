// Where the value or the failure of an awaited coroutine goes: a place in the frame of whoever awaits it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>

namespace coppice::inline v0::detail {

// The failure's half, alike for all types. A coroutine knows its slot by this. Nothing is destroyed by
// itself: whoever awaits knows what has come, and a fork of plain values need not even initialise it.
class failure_slot {
 public:
  failure_slot(const failure_slot&) = delete;
  failure_slot& operator=(const failure_slot&) = delete;

  void reset() noexcept { state_ = empty; }
  bool failed() const noexcept { return (state_ & failed_bit) != 0; }

  void fail(std::exception_ptr error) noexcept {
    ::new (content()) std::exception_ptr(std::move(error));
    state_ = failed_bit;
  }

  // Moves the failure out. Only if failed().
  std::exception_ptr take_failure() noexcept {
    auto& stored = *std::launder(static_cast<std::exception_ptr*>(content()));
    std::exception_ptr error = std::move(stored);
    std::destroy_at(&stored);
    reset();
    return error;
  }

  // The same, left there.
  std::exception_ptr failure() noexcept {
    return *std::launder(static_cast<std::exception_ptr*>(content()));
  }

  // In a fork's list of failures: the one before it. Only if failed().
  failure_slot* earlier() const noexcept {
    return reinterpret_cast<failure_slot*>(state_ & ~std::uintptr_t{failed_bit});
  }
  void earlier(failure_slot* other) noexcept {
    state_ = reinterpret_cast<std::uintptr_t>(other) | failed_bit;
  }

 protected:
  failure_slot() noexcept {}  // Not defaulted: that would let a value-initialisation clear it.
  ~failure_slot() = default;

  static constexpr std::uintptr_t empty = 0;
  static constexpr std::uintptr_t value = 1;
  static constexpr std::uintptr_t failed_bit = 2;

  // What lies right behind the state: an exception, or in place of it the value of the derived slot.
  void* content() noexcept { return this + 1; }

  std::uintptr_t state_;
};

// T by value; a reference as a pointer; void as nothing. Over-aligned types too: a frame only promises the
// alignment of operator new, so the place is found inside a larger one.
template <class T>
class result_slot : public failure_slot {
  using stored = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*,
                                    std::conditional_t<std::is_void_v<T>, std::monostate, T>>;
  static constexpr bool over_aligned = alignof(stored) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;

 public:
  using value_type = T;

  // Must it be known, when only some of a fork's children have values, which?
  static constexpr bool tracked = !std::is_trivially_destructible_v<stored>;

  // May a coroutine put its value straight to where it goes, and forget that it did?
  static constexpr bool direct = !tracked && !std::is_reference_v<T> && !std::is_void_v<T> &&
                                 alignof(stored) <= alignof(std::exception_ptr);

  result_slot() noexcept {}

  template <class... U>
  void emplace(U&&... from) {
    if constexpr (std::is_reference_v<T>) {
      const auto address_of = [](T reference) { return std::addressof(reference); };
      ::new (raw()) stored(address_of(std::forward<U>(from)...));
    } else {
      ::new (raw()) stored(std::forward<U>(from)...);
    }
    if constexpr (tracked) {
      state_ = value;
    }
  }

  // What a coroutine is told of the slot: where its value goes, or else the slot itself.
  void* place_of_value() noexcept {
    if constexpr (direct) {
      return content();
    } else {
      return this;
    }
  }

  // The way back, if the place is a slot's.
  static result_slot& of(void* place) noexcept {
    if constexpr (direct) {
      return static_cast<result_slot&>(static_cast<failure_slot*>(place)[-1]);
    } else {
      return *static_cast<result_slot*>(place);
    }
  }

  // The value, moved. It is still to be cleared.
  T take_value() {
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(**place());
    } else if constexpr (!std::is_void_v<T>) {
      return std::move(*place());
    }
  }

  // Destroys what there is. Only of a slot that was reset() or filled.
  void clear() noexcept {
    if (failed()) [[unlikely]] {
      take_failure();
    }
    if constexpr (tracked) {
      if (state_ == value) {
        std::destroy_at(place());
        reset();
      }
    }
  }

 private:
  static constexpr std::size_t content_alignment = std::max(
      alignof(std::exception_ptr), over_aligned ? alignof(std::max_align_t) : alignof(stored));
  static constexpr std::size_t content_bytes =
      std::max(sizeof(std::exception_ptr), sizeof(stored) + (over_aligned ? alignof(stored) : 0));

  void* raw() noexcept {
    if constexpr (over_aligned) {
      void* place = content_;
      std::size_t space = sizeof(content_);
      return std::align(alignof(stored), sizeof(stored), place, space);
    } else {
      return content_;
    }
  }

  stored* place() noexcept { return std::launder(static_cast<stored*>(raw())); }

  alignas(content_alignment) std::byte content_[content_bytes];
};

static_assert(sizeof(result_slot<long>) == 2 * sizeof(void*));
static_assert(sizeof(failure_slot) == sizeof(void*));

// What a slot gives in a tuple or a vector: void has no value there, and a reference cannot lie in one.
template <class T>
struct gathered_value {
  using type = T;
};
template <>
struct gathered_value<void> {
  using type = std::monostate;
};
template <class T>
struct gathered_value<T&> {
  using type = std::reference_wrapper<T>;
};

}  // namespace coppice::inline v0::detail
