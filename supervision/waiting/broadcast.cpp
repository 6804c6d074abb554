#include <coppice/broadcast.h>

#include <coppice/error.h>

namespace coppice::inline v0::detail {

void throw_broadcast_closed() {
  throw channel_closed("send into a closed broadcast");
}

void throw_received_by_two() {
  throw usage_error(
      "receive() of a subscription that another task waits for: it is for one task at a time; "
      "subscribe() once for each");
}

void throw_empty_subscription() {
  throw usage_error("receive() of a subscription that was moved from");
}

std::size_t required_capacity(std::size_t capacity) {
  if (capacity == 0) {
    throw usage_error("broadcast of capacity 0: it could keep no item for anybody");
  }
  return capacity;
}

}  // namespace coppice::inline v0::detail
