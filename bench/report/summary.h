// The report in short, as plain text.
#pragma once

#include <string>

#include "bench/report/changes.h"
#include "bench/report/results.h"

namespace bench::report {

// `since`: null if there is no other run to compare with.
std::string summary(const results& all, const changes* since);

}  // namespace bench::report
