#include "tests/model/plain_memory.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "tests/model/execution.h"

namespace coppice_model {

namespace {

constexpr std::uintptr_t granule_bytes = 8;

// The parts of an access, granule by granule: its number, and which bytes of it.
template <class Visit>
void each_granule(std::uintptr_t next, std::size_t bytes, const Visit& visit) {
  const std::uintptr_t end = next + bytes;
  while (next != end) {
    const std::uintptr_t in_granule = next % granule_bytes;
    const std::uintptr_t length = std::min(granule_bytes - in_granule, end - next);
    visit(next / granule_bytes, static_cast<std::uint8_t>(((1U << length) - 1) << in_granule));
    next += length;
  }
}

}  // namespace

std::string function_at(const void* code) {
  Dl_info info{};
  if (dladdr(code, &info) == 0 || info.dli_sname == nullptr) {
    const auto offset =
        reinterpret_cast<std::uintptr_t>(code) - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
    return "a function that addr2line knows at " + std::to_string(offset);
  }
  int status = 0;
  char* const readable = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
  std::string name = readable != nullptr ? readable : info.dli_sname;
  std::free(readable);
  return name;
}

plain_memory::plain_memory(delays& chooser) : chooser_(chooser) {
  ++table_.generation;
  table_.used = 0;
}

plain_memory::table& plain_memory::shared() {
  static auto* const only = new table;
  return *only;
}

plain_memory::granule& plain_memory::at(std::uintptr_t number) {
  for (;;) {
    const std::size_t mask = table_.places.size() - 1;
    for (std::size_t i = number * 0x9e37'79b9'7f4a'7c15ULL >> 20;; ++i) {
      granule& found = table_.places[i & mask];
      if (found.generation != table_.generation) {
        if (++table_.used * 2 > table_.places.size()) {
          break;
        }
        found.number = number;
        found.generation = table_.generation;
        found.forget();
        return found;
      }
      if (found.number == number) {
        return found;
      }
    }
    grow();
  }
}

void plain_memory::grow() {
  const list<granule> old = std::exchange(table_.places, list<granule>(table_.places.size() * 2));
  table_.used = 0;
  for (const granule& each : old) {
    if (each.generation == table_.generation) {
      at(each.number) = each;
    }
  }
}

plain_memory::~plain_memory() {
  for (void* const each : fallow_) {
    std::free(each);
  }
}

void plain_memory::check(granule& used, const use& now, const view& mine) {
  if (used.gone) {
    chooser_.fail("memory is used that has been given back, in " + function_at(now.code));
  }
  use* own = nullptr;
  for (use& each : used.uses) {
    if (each.clock == 0 || (each.bytes & now.bytes) == 0) {
      continue;
    }
    if (each.thread == now.thread) {
      if (each.bytes == now.bytes && (!each.writes || now.writes)) {
        own = &each;
      }
    } else if ((each.writes || now.writes) && each.clock > mine.clock_of(each.thread) &&
               !chooser_.is_first()) {
      chooser_.fail("thread " + std::to_string(now.thread) + (now.writes ? " writes" : " reads") +
                    " plain memory in " + function_at(now.code) +
                    ", and nothing says that thread " + std::to_string(each.thread) +
                    " has done with it in " + function_at(each.code));
    }
  }
  if (own == nullptr) {
    own = &used.uses[used.next++ % used.uses.size()];
  }
  *own = now;
}

void plain_memory::access(std::size_t thread, const view& mine, const void* at, std::size_t bytes,
                          bool writes, const void* code) {
  each_granule(
      reinterpret_cast<std::uintptr_t>(at), bytes, [&](std::uintptr_t number, std::uint8_t mask) {
        check(this->at(number),
              {mine.clock_of(thread), static_cast<std::uint8_t>(thread), mask, writes, code}, mine);
      });
}

void plain_memory::take(void* at, std::size_t bytes) {
  each_granule(reinterpret_cast<std::uintptr_t>(at), bytes,
               [this](std::uintptr_t number, std::uint8_t) { this->at(number).forget(); });
}

void plain_memory::give_back(std::size_t thread, const view& mine, void* at, std::size_t bytes,
                             const void* code) {
  access(thread, mine, at, bytes, true, code);
  each_granule(reinterpret_cast<std::uintptr_t>(at), bytes,
               [this](std::uintptr_t number, std::uint8_t) { this->at(number).gone = true; });
  fallow_.push_back(at);
}

}  // namespace coppice_model

// ---- What instrumented code calls ---------------------------------------------------------------

using coppice_model::execution;

namespace {

void note_access(const void* at, std::size_t bytes, bool writes, const void* code) {
  execution* const run = execution::current();
  if (run != nullptr && !execution::is_local(at)) {
    run->plain().access(run->self(), run->known(), at, bytes, writes, code);
  }
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  void* const memory =
      alignment == 0
          ? std::malloc(std::max<std::size_t>(bytes, 1))
          : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  if (execution* const run = execution::current()) {
    run->plain().take(memory, bytes);
  }
  return memory;
}

void deallocate(void* memory, const void* code) noexcept {
  execution* const run = execution::current();
  if (run == nullptr || memory == nullptr) {
    std::free(memory);
    return;
  }
  run->plain().give_back(run->self(), run->known(), memory, malloc_usable_size(memory), code);
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes, 0);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  deallocate(memory, __builtin_return_address(0));
}
void operator delete(void* memory, std::size_t) noexcept {
  deallocate(memory, __builtin_return_address(0));
}
void operator delete(void* memory, std::align_val_t) noexcept {
  deallocate(memory, __builtin_return_address(0));
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  deallocate(memory, __builtin_return_address(0));
}

// The compiler puts a call of these before each access, under -fsanitize=thread; there is no sanitizer behind them.
// Atomic operations that come here are not the rooms' own: each is taken for a release and an acquire, and no step.
#define MODEL_ACCESS(bytes)                                     \
  void __tsan_read##bytes(void* at) {                           \
    note_access(at, bytes, false, __builtin_return_address(0)); \
  }                                                             \
  void __tsan_write##bytes(void* at) {                          \
    note_access(at, bytes, true, __builtin_return_address(0));  \
  }                                                             \
  void __tsan_unaligned_read##bytes(void* at) {                 \
    note_access(at, bytes, false, __builtin_return_address(0)); \
  }                                                             \
  void __tsan_unaligned_write##bytes(void* at) {                \
    note_access(at, bytes, true, __builtin_return_address(0));  \
  }                                                             \
  void __tsan_read_write##bytes(void* at) {                     \
    note_access(at, bytes, true, __builtin_return_address(0));  \
  }                                                             \
  void __tsan_unaligned_read_write##bytes(void* at) {           \
    note_access(at, bytes, true, __builtin_return_address(0));  \
  }

#define MODEL_ATOMIC(bits, type)                                                                   \
  type __tsan_atomic##bits##_load(const volatile type* at, int) {                                  \
    meet(at);                                                                                      \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile type* at, type value, int) {                           \
    meet(at);                                                                                      \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                \
  type __tsan_atomic##bits##_exchange(volatile type* at, type value, int) {                        \
    meet(at);                                                                                      \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_add(volatile type* at, type value, int) {                       \
    meet(at);                                                                                      \
    return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_sub(volatile type* at, type value, int) {                       \
    meet(at);                                                                                      \
    return __atomic_fetch_sub(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_and(volatile type* at, type value, int) {                       \
    meet(at);                                                                                      \
    return __atomic_fetch_and(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_or(volatile type* at, type value, int) {                        \
    meet(at);                                                                                      \
    return __atomic_fetch_or(at, value, __ATOMIC_SEQ_CST);                                         \
  }                                                                                                \
  type __tsan_atomic##bits##_fetch_xor(volatile type* at, type value, int) {                       \
    meet(at);                                                                                      \
    return __atomic_fetch_xor(at, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* at, type* expected,             \
                                                    type desired, int, int) {                      \
    meet(at);                                                                                      \
    return __atomic_compare_exchange_n(at, expected, desired, false, __ATOMIC_SEQ_CST,             \
                                       __ATOMIC_SEQ_CST)                                           \
               ? 1                                                                                 \
               : 0;                                                                                \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* at, type* expected, type desired, \
                                                  int, int) {                                      \
    return __tsan_atomic##bits##_compare_exchange_strong(at, expected, desired, 0, 0);             \
  }                                                                                                \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type* at, type expected, type desired,  \
                                                  int, int) {                                      \
    __tsan_atomic##bits##_compare_exchange_strong(at, &expected, desired, 0, 0);                   \
    return expected;                                                                               \
  }

namespace {

void meet(const volatile void* at) {
  if (execution* const run = execution::current()) {
    run->meet(const_cast<const void*>(at));
  }
}

}  // namespace

extern "C" {

MODEL_ACCESS(1)
MODEL_ACCESS(2)
MODEL_ACCESS(4)
MODEL_ACCESS(8)
MODEL_ACCESS(16)

MODEL_ATOMIC(8, std::uint8_t)
MODEL_ATOMIC(16, std::uint16_t)
MODEL_ATOMIC(32, std::uint32_t)
MODEL_ATOMIC(64, std::uint64_t)

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}
void __tsan_vptr_read(void** at) {
  note_access(static_cast<void*>(at), sizeof(*at), false, __builtin_return_address(0));
}
// A destructor that writes what is there already does not count.
void __tsan_vptr_update(void** at, void* value) {
  note_access(static_cast<void*>(at), sizeof(*at), *at != value, __builtin_return_address(0));
}
void __tsan_read_range(void* at, unsigned long bytes) {
  note_access(at, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void* at, unsigned long bytes) {
  note_access(at, bytes, true, __builtin_return_address(0));
}
void* __tsan_memcpy(void* to, const void* from, unsigned long bytes) {
  note_access(from, bytes, false, __builtin_return_address(0));
  note_access(to, bytes, true, __builtin_return_address(0));
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, unsigned long bytes) {
  note_access(from, bytes, false, __builtin_return_address(0));
  note_access(to, bytes, true, __builtin_return_address(0));
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, unsigned long bytes) {
  note_access(to, bytes, true, __builtin_return_address(0));
  return std::memset(to, value, bytes);
}

}  // extern "C"
