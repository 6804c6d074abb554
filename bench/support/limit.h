// What limits a fan-out: a loop over an array that resumes and frees as many suspended frames of the same pool.
#pragma once

#include "bench/support/crowd.h"
#include "bench/support/fan_out.h"
#include "bench/support/scatter.h"

namespace bench {

// A part of them on each worker. Nothing is found, asked, counted or told; when a part is through, its frames are freed.
fan_out resume_all(runtime& on, crowd& all, layout frames);

}  // namespace bench
