// Groups whose children all fail.
#pragma once

#include <coppice/coppice.h>

#include <cstddef>

namespace bench::unwind_suite {

// Nanoseconds for each of so many children of a group that collects their failures, until the exception_group is
// caught. Throws if one is missing.
double ns_to_collect(coppice::runtime& on, std::size_t children);

// The same of children that return.
double ns_to_join(coppice::runtime& on, std::size_t children);

}  // namespace bench::unwind_suite
