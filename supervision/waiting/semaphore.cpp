#include <coppice/semaphore.h>

#include <coppice/error.h>

#include <string>

namespace coppice::inline v0 {

async_semaphore::async_semaphore(std::size_t permits) : pool_("an async_semaphore", permits) {
  if (permits > detail::permit_pool::most) {
    throw usage_error("async_semaphore of " + std::to_string(permits) + " permits: at most " +
                      std::to_string(detail::permit_pool::most) +
                      " can be counted; was a negative number passed?");
  }
}

}  // namespace coppice::inline v0
