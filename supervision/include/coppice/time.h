// Sleeping, giving way, and what time it is.
#pragma once

#include <coppice/clock.h>
#include <coppice/sleep.h>
