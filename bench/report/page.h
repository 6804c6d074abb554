// The report as one page of HTML that needs nothing else.
#pragma once

#include <string>

#include "bench/report/changes.h"
#include "bench/report/results.h"

namespace bench::report {

// `since`: null if there is no other run to compare with.
std::string page(const results& all, const changes* since);

}  // namespace bench::report
