// Memory for the pages of the inbox.
#include "executor/inbox.h"

#include <utility>

namespace coppice::inline v0::detail {

namespace {

// One page that its thread has set aside.
struct spare_page {
  void* page = nullptr;
  ~spare_page() { ::operator delete(page); }
};
thread_local spare_page spare;

}  // namespace

bool inbox_pages::set_one_aside() noexcept {
  if (spare.page == nullptr) {
    spare.page = ::operator new(page_bytes, std::nothrow);
  }
  return spare.page != nullptr;
}

void* inbox_pages::allocate(std::size_t bytes) {
  if (bytes <= page_bytes && spare.page != nullptr) {
    return std::exchange(spare.page, nullptr);
  }
  return ::operator new(bytes <= page_bytes ? page_bytes : bytes);
}

void inbox_pages::deallocate(void* page, std::size_t bytes) noexcept {
  if (bytes <= page_bytes && spare.page == nullptr) {
    spare.page = page;
  } else {
    ::operator delete(page);
  }
}

}  // namespace coppice::inline v0::detail
