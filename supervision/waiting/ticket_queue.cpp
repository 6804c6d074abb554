#include <coppice/detail/ticket_queue.h>

#include <coppice/detail/suspension.h>
#include <coppice/detail/woken_list.h>

#include <algorithm>
#include <new>
#include <utility>

namespace coppice::inline v0::detail {

ticket_queue::ticket_queue(ticket_queue&& other) noexcept {
  std::ranges::copy(other.near_, near_);
  first_.used = std::exchange(other.first_.used, 0);
  first_.next = std::exchange(other.first_.next, nullptr);
  last_ = other.last_ == &other.first_ ? &first_ : other.last_;
  other.last_ = &other.first_;
  other.swept_ = nullptr;
}

ticket_queue::~ticket_queue() {
  clear();
}

ticket_queue::chunk* ticket_queue::make(std::uint32_t room) {
  void* const memory = ::operator new(sizeof(chunk) + room * sizeof(ticket));
  auto* const tickets = reinterpret_cast<ticket*>(static_cast<std::byte*>(memory) + sizeof(chunk));
  std::uninitialized_default_construct_n(tickets, room);
  return ::new (memory) chunk{tickets, room};
}

void ticket_queue::free(chunk* each) noexcept {
  ::operator delete(each, sizeof(chunk) + each->room * sizeof(ticket));
}

void ticket_queue::clear() noexcept {
  while (chunk* const each = first_.next) {
    first_.next = each->next;
    free(each);
  }
  first_.used = 0;
  last_ = &first_;
  swept_ = nullptr;
}

void ticket_queue::add(const ticket& last) {
  if (last_->used == last_->room) {
    sweep();
    sweep();
  }
  if (last_->used == last_->room) {
    last_->next = make(std::min(4 * last_->room + 6, far_room));
    last_ = last_->next;
  }
  last_->tickets[last_->used++] = last;
}

// Goes through the next chunk. What is left there goes to the chunk before if that has room for all of it: so two that
// lie side by side are never both nearly empty.
void ticket_queue::sweep() noexcept {
  chunk* const before = swept_;
  chunk& each = before == nullptr ? first_ : *before->next;
  ticket* const end = std::remove_if(each.tickets, each.tickets + each.used,
                                     [](const ticket& one) { return !one.open(); });
  each.used = static_cast<std::uint32_t>(end - each.tickets);
  if (before != nullptr && each.used <= before->room - before->used) {
    std::copy(each.tickets, end, before->tickets + before->used);
    before->used += each.used;
    before->next = each.next;
    last_ = last_ == &each ? before : last_;
    free(&each);
  } else {
    swept_ = &each;
  }
  if (swept_->next == nullptr) {
    swept_ = nullptr;
  }
}

bool ticket_queue::someone_waits() const noexcept {
  for (const chunk* each = &first_; each != nullptr; each = each->next) {
    if (std::any_of(each->tickets, each->tickets + each->used,
                    [](const ticket& one) { return one.open(); })) {
      return true;
    }
  }
  return false;
}

// Those that have been won go on a few at a time, while others are being claimed.
void ticket_queue::end_all() noexcept {
  constexpr std::size_t at_a_time = 64;
  woken_list woken;
  std::size_t count = 0;
  for (const chunk* each = &first_; each != nullptr; each = each->next) {
    for (std::uint32_t i = 0; i != each->used; ++i) {
      const ticket& wait = each->tickets[i];
      if (wait.claim() == claim_result::won) {
        suspension& won = wait.at->waiter();
        woken.add(won, won.home());
        if (++count % at_a_time == 0) {
          woken.go_on();
        }
      }
    }
  }
  clear();
}

std::size_t ticket_queue::room() const noexcept {
  std::size_t room = 0;
  for (const chunk* each = first_.next; each != nullptr; each = each->next) {
    room += each->room;
  }
  return room;
}

}  // namespace coppice::inline v0::detail
