#include <coppice/detail/reason_block.h>

#include "executor/backtrace.h"

#include <coppice/cancel.h>
#include <coppice/detail/worker_core.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

namespace coppice::inline v0::detail {
namespace {

// The fixed store: places for bodies with a short text, for the whole process and for ever. One bit
// a place says whether it is free; whoever clears the bit owns the place until it sets the bit
// again.
constexpr std::size_t place_size = 128;
constexpr std::size_t word_count = 4;
constexpr std::size_t places_per_word = 64;

struct alignas(64) place {
  unsigned char bytes[place_size];
};

place places[word_count * places_per_word];
constinit std::array<atomic<std::uint64_t>, word_count> free_places{
    {{~std::uint64_t{0}}, {~std::uint64_t{0}}, {~std::uint64_t{0}}, {~std::uint64_t{0}}}};

constexpr std::size_t short_text = place_size - sizeof(reason_block);

void* take_place() noexcept {
  for (std::size_t i = 0; i != word_count; ++i) {
    std::uint64_t free = free_places[i].load(std::memory_order_relaxed);
    while (free != 0) {
      const auto bit = static_cast<std::size_t>(std::countr_zero(free));
      if (free_places[i].compare_exchange_weak(free, free & (free - 1),
                                               std::memory_order_acquire,  // CR2
                                               std::memory_order_relaxed)) {
        return places[i * places_per_word + bit].bytes;
      }
    }
  }
  return nullptr;
}

void give_place_back(const void* taken) noexcept {
  const auto index = static_cast<std::size_t>(static_cast<const place*>(taken) - places);
  free_places[index / places_per_word].fetch_or(std::uint64_t{1} << (index % places_per_word),
                                                std::memory_order_release);  // CR2
}

}  // namespace

const reason_block* reason_block::make(cancel_kind kind, std::string_view text, task_id by,
                                       source_site where) noexcept {
  void* memory = text.size() <= short_text ? take_place() : nullptr;
  home from = home::store;
  if (memory == nullptr) {
    memory = ::operator new(sizeof(reason_block) + text.size(), std::nothrow);
    from = home::heap;
  }
  if (memory == nullptr) {
    text = {};
    memory = take_place();
    from = home::store;
  }
  if (memory == nullptr) {
    return immortal(kind);
  }
  char* const behind = static_cast<char*>(memory) + sizeof(reason_block);
  if (!text.empty()) {
    std::memcpy(behind, text.data(), text.size());
  }
  auto* const made = ::new (memory) reason_block(from, kind, behind, text.size(), by, where);
  if (canceller_wanted.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    made->made_by_ = backtrace::capture();
  }
  return made;
}

const reason_block* reason_block::immortal(cancel_kind kind) noexcept {
  static constinit const reason_block blocks[] = {
      reason_block(cancel_kind::requested),      reason_block(cancel_kind::deadline),
      reason_block(cancel_kind::sibling_failed), reason_block(cancel_kind::parent_cancelled),
      reason_block(cancel_kind::shutdown),       reason_block(cancel_kind::fatal),
      reason_block(cancel_kind::misuse)};
  const auto index = static_cast<std::size_t>(kind);
  return &blocks[index < std::size(blocks) ? index : 0];
}

void reason_block::add_counted() const noexcept {
  worker_core* const here = this_worker();
  if (here != nullptr && here->ledger.open()) {
    here->ledger.take(*this);
  } else {
    references_.add();
  }
}

void reason_block::drop_counted() const noexcept {
  worker_core* const here = this_worker();
  if (here == nullptr || !here->ledger.open() || !here->ledger.give_back(*this)) {
    drop_references(1);
  }
}

void reason_block::destroy(const reason_block* block) noexcept {
  const home from = block->home_;
  delete block->made_by_;
  block->~reason_block();
  if (from == home::store) {
    give_place_back(block);
  } else {
    ::operator delete(const_cast<reason_block*>(block));
  }
}

}  // namespace coppice::inline v0::detail
