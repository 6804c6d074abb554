// Tickets of those who wait for one thing that is for all of them, in order of arrival.
//
// A ticket is kept by value: whose wait has ended otherwise, leaves nothing that would have to be taken out, and its void
// ticket is swept away by those that come later. So to stop a hundred thousand waiters writes nothing here, and takes no
// lock. Each time that a chunk is full two others are swept: memory is that of some three times as many as wait, or of
// as many as ever waited at once if nobody comes any more.
#pragma once

#include <coppice/detail/export.h>
#include <coppice/detail/slot.h>

#include <cstddef>
#include <cstdint>

namespace coppice::inline v0::detail {

// Its owner's lock guards it.
class COPPICE_EXPORT ticket_queue {
 public:
  ticket_queue() noexcept = default;
  ticket_queue(ticket_queue&& other) noexcept;  // The other is empty.
  ticket_queue& operator=(ticket_queue&&) = delete;
  ~ticket_queue();

  // Throws std::bad_alloc. The first few need no memory.
  void add(const ticket& last);

  // Is there one whose wait is not over?
  bool someone_waits() const noexcept;

  // Ends the wait of all, in order. On any thread; nothing is left.
  void end_all() noexcept;

  // Tickets there is memory for, besides the first few.
  std::size_t room() const noexcept;

 private:
  struct chunk {
    ticket* tickets;
    std::uint32_t room;
    std::uint32_t used = 0;
    chunk* next = nullptr;
  };
  static constexpr std::uint32_t near_room = 2;
  static constexpr std::uint32_t far_room = 254;

  static chunk* make(std::uint32_t room);
  static void free(chunk* each) noexcept;
  void sweep() noexcept;
  void clear() noexcept;

  ticket near_[near_room];
  chunk first_{near_, near_room};
  chunk* last_ = &first_;
  chunk* swept_ = nullptr;  // The chunk before the next to be swept; null: that is the first.
};

}  // namespace coppice::inline v0::detail
