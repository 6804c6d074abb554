// What happens to memory that is not atomic: who used it last, and whether it has been given back.
//
// Two accesses of which one writes must not come from two threads unless one is known to have happened before the
// other, whatever the turns were: so an order that guards plain memory is missed in every execution that uses it.
// Memory that is given back lies fallow until the execution ends, so that to use it is found out.
#pragma once

#include "tests/model/memory.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace coppice_model {

class plain_memory {
 public:
  explicit plain_memory(delays& chooser);
  plain_memory(const plain_memory&) = delete;
  plain_memory& operator=(const plain_memory&) = delete;
  ~plain_memory();

  // `code`: the address of the instruction.
  void access(std::size_t thread, const view& mine, const void* at, std::size_t bytes, bool writes,
              const void* code);

  // Fresh from the allocator.
  void take(void* at, std::size_t bytes);

  // Keeps it; it goes back to the allocator when the execution has ended.
  void give_back(std::size_t thread, const view& mine, void* at, std::size_t bytes,
                 const void* code);

 private:
  struct use {
    std::uint32_t clock = 0;  // 0: none.
    std::uint8_t thread = 0;
    std::uint8_t bytes = 0;  // One bit for each.
    bool writes = false;
    const void* code = nullptr;
  };

  // Eight bytes.
  struct granule {
    std::uintptr_t number = 0;
    std::uint64_t generation = 0;  // Of the execution that has used it.
    std::array<use, 4> uses{};
    std::uint8_t next = 0;
    bool gone = false;

    void forget() noexcept {
      for (use& each : uses) {
        each.clock = 0;
      }
      gone = false;
    }
  };

  // All of them, by their numbers; what is of an earlier generation is empty.
  struct table {
    list<granule> places = list<granule>(std::size_t{1} << 14);
    std::uint64_t generation = 0;
    std::size_t used = 0;
  };

  static table& shared();
  granule& at(std::uintptr_t number);
  void grow();
  void check(granule& used, const use& now, const view& mine);

  delays& chooser_;
  table& table_ = shared();  // One for all executions, that come one after the other.
  list<void*> fallow_;
};

// "in such a function", as far as the program's symbols tell.
std::string function_at(const void* code);

}  // namespace coppice_model
