#include <coppice/cancel.h>

#include <ostream>
#include <string>

#include "executor/wording.h"

namespace coppice::inline v0 {

std::string_view to_string(cancel_kind kind) noexcept {
  switch (kind) {
    case cancel_kind::requested:
      return "requested";
    case cancel_kind::deadline:
      return "deadline";
    case cancel_kind::sibling_failed:
      return "sibling_failed";
    case cancel_kind::parent_cancelled:
      return "parent_cancelled";
    case cancel_kind::shutdown:
      return "shutdown";
    case cancel_kind::fatal:
      return "fatal";
    case cancel_kind::misuse:
      return "misuse";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, const cancel_reason& reason) {
  out << detail::reason_text(reason);
  const std::string place = detail::site_text(reason.where());
  const char* before = " (";
  if (reason.by() != task_id::none) {
    out << before << "by " << detail::task_text(reason.by(), {});
    before = ", ";
  }
  if (!place.empty()) {
    out << before << "at " << place;
    before = ", ";
  }
  return *before == ',' ? out << ')' : out;
}

}  // namespace coppice::inline v0
