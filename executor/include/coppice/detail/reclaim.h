// Destroys trees of shared objects without recursion, however deep they are.
//
// A failure can hold failures that hold failures: left to destructors, a tree 100 000 deep would
// need as much stack. What can stand in such a tree is reclaimed through here instead: while one is
// being destroyed, those that it drops wait in a line, on links of their own.
#pragma once

#include <coppice/detail/export.h>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT reclaimable {
 public:
  reclaimable() noexcept = default;
  reclaimable(const reclaimable&) = delete;
  reclaimable& operator=(const reclaimable&) = delete;
  virtual ~reclaimable();

 private:
  friend void reclaim(reclaimable* last) noexcept;

  reclaimable* next_ = nullptr;  // While it waits to be deleted.
};

// Deletes an object that nobody refers to any more: at once, or, if called from the destructor of
// another on this thread, behind that.
COPPICE_EXPORT void reclaim(reclaimable* last) noexcept;

}  // namespace coppice::inline v0::detail
