#include <coppice/detail/reclaim.h>

namespace coppice::inline v0::detail {
namespace {

struct line {
  reclaimable* first = nullptr;
  bool moving = false;  // Somebody further up this stack empties it.
};
constinit thread_local line waiting;

}  // namespace

reclaimable::~reclaimable() = default;

void reclaim(reclaimable* last) noexcept {
  line& here = waiting;
  last->next_ = here.first;
  here.first = last;
  if (here.moving) {
    return;
  }
  here.moving = true;
  while (here.first != nullptr) {
    reclaimable* const next = here.first;
    here.first = next->next_;
    delete next;
  }
  here.moving = false;
}

}  // namespace coppice::inline v0::detail
