// The explorer's atomic: each operation is a step of a virtual thread, and gives what weak memory may give.
//
// It has the size of its value, for headers rely on that; all else that the explorer knows of it, it finds by its
// address. Outside of an exploration it is a plain variable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

namespace coppice_model {

using word = std::uint64_t;

// Where an operation stands in the source: what a schedule shows, and by what an order is weakened.
using site = std::source_location;

struct place {
  void* at;
  std::size_t bytes;
};

enum class change : std::uint8_t { exchange, add, subtract, conjunction, disjunction, difference };

void begin_life(const place& of) noexcept;
void end_life(const place& of) noexcept;
word load(const place& from, std::memory_order order, const site& where) noexcept;
void store(const place& to, word value, std::memory_order order, const site& where) noexcept;
word update(const place& of, change how, word operand, std::memory_order order,
            const site& where) noexcept;
bool compare_exchange(const place& of, word& expected, word desired, bool weak,
                      std::memory_order success, std::memory_order failure,
                      const site& where) noexcept;

constexpr std::memory_order order_of_failure(std::memory_order success) noexcept {
  return success == std::memory_order_acq_rel   ? std::memory_order_acquire
         : success == std::memory_order_release ? std::memory_order_relaxed
                                                : success;
}

template <typename T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(word));

 public:
  using value_type = T;

  constexpr atomic() noexcept : atomic(T()) {}
  constexpr atomic(T initial) noexcept : value_(initial) {  // NOLINT: as std's.
    if (!std::is_constant_evaluated()) {
      begin_life(here());
    }
  }
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;
  constexpr ~atomic() {
    if (!std::is_constant_evaluated()) {
      end_life(here());
    }
  }

  T load(std::memory_order order = std::memory_order_seq_cst,
         const site& where = site::current()) const noexcept {
    return unpacked(coppice_model::load(here(), order, where));
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst,
             const site& where = site::current()) noexcept {
    coppice_model::store(here(), packed(value), order, where);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst,
             const site& where = site::current()) noexcept {
    return unpacked(update(here(), change::exchange, packed(value), order, where));
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure,
                               const site& where = site::current()) noexcept {
    return compare(expected, desired, false, success, failure, where);
  }
  bool compare_exchange_strong(T& expected, T desired,
                               std::memory_order order = std::memory_order_seq_cst,
                               const site& where = site::current()) noexcept {
    return compare(expected, desired, false, order, order_of_failure(order), where);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure,
                             const site& where = site::current()) noexcept {
    return compare(expected, desired, true, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired,
                             std::memory_order order = std::memory_order_seq_cst,
                             const site& where = site::current()) noexcept {
    return compare(expected, desired, true, order, order_of_failure(order), where);
  }

  T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst,
              const site& where = site::current()) noexcept {
    return unpacked(update(here(), change::add, packed(by), order, where));
  }
  T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst,
              const site& where = site::current()) noexcept {
    return unpacked(update(here(), change::subtract, packed(by), order, where));
  }
  T fetch_and(T with, std::memory_order order = std::memory_order_seq_cst,
              const site& where = site::current()) noexcept {
    return unpacked(update(here(), change::conjunction, packed(with), order, where));
  }
  T fetch_or(T with, std::memory_order order = std::memory_order_seq_cst,
             const site& where = site::current()) noexcept {
    return unpacked(update(here(), change::disjunction, packed(with), order, where));
  }
  T fetch_xor(T with, std::memory_order order = std::memory_order_seq_cst,
              const site& where = site::current()) noexcept {
    return unpacked(update(here(), change::difference, packed(with), order, where));
  }

 private:
  static word packed(const T& value) noexcept {
    word bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T unpacked(word bits) noexcept {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }

  place here() const noexcept { return {const_cast<T*>(&value_), sizeof(T)}; }

  bool compare(T& expected, T desired, bool weak, std::memory_order success,
               std::memory_order failure, const site& where) noexcept {
    word seen = packed(expected);
    const bool done =
        compare_exchange(here(), seen, packed(desired), weak, success, failure, where);
    expected = unpacked(seen);
    return done;
  }

  T value_;
};

}  // namespace coppice_model
