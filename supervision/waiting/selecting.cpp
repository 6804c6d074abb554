#include <coppice/detail/selecting.h>

#include <coppice/detail/outcome_cell.h>
#include <coppice/detail/worker_core.h>
#include <coppice/error.h>

namespace coppice::inline v0::detail {

void throw_not_selectable() {
  throw usage_error(
      "select() of an operation that is no single wait, and could not be withdrawn without effect: "
      "a scope, gather, a handle; use race()");
}

void report_of_a_loser(const std::exception_ptr& failure) noexcept {
  worker_core& here = *this_worker();
  report_from(here.scope, here, error_origin::suppressed, error_entry(failure));
}

}  // namespace coppice::inline v0::detail
