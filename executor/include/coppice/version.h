// Which coppice this is: of the headers by macro, of the linked library by call.
#pragma once

#include <coppice/detail/export.h>

#define COPPICE_VERSION_MAJOR 0
#define COPPICE_VERSION_MINOR 1
#define COPPICE_VERSION_PATCH 0

namespace coppice::inline v0 {

// Of the library that was linked, as "0.1.0". The runtime's constructor compares it with the header's.
COPPICE_EXPORT const char* version() noexcept;

namespace detail {

// Throws usage_error if the library is not of this version.
COPPICE_EXPORT void require_version(int major, int minor, int patch);

}  // namespace detail
}  // namespace coppice::inline v0
