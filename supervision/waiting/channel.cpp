#include <coppice/channel.h>

namespace coppice::inline v0::detail {

void throw_channel_closed() {
  throw channel_closed("send into a closed channel");
}

}  // namespace coppice::inline v0::detail
