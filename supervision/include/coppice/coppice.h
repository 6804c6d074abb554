// All of it, testing.h apart.
//
// Never `using namespace coppice`; write `namespace co = coppice;`.
#pragma once

#include <coppice/awaitable.h>
#include <coppice/awaiter.h>
#include <coppice/cancel.h>
#include <coppice/dump.h>
#include <coppice/error.h>
#include <coppice/exception_group.h>
#include <coppice/options.h>
#include <coppice/outcome.h>
#include <coppice/report.h>
#include <coppice/runtime.h>
#include <coppice/shutdown.h>
#include <coppice/spawn.h>
#include <coppice/task.h>
#include <coppice/time.h>
#include <coppice/version.h>
