// All of it, testing.h apart.
//
// Never `using namespace coppice`; write `namespace co = coppice;`.
#pragma once

#include <coppice/as_completed.h>
#include <coppice/awaitable.h>
#include <coppice/awaiter.h>
#include <coppice/barrier.h>
#include <coppice/blocking.h>
#include <coppice/broadcast.h>
#include <coppice/cancel.h>
#include <coppice/channel.h>
#include <coppice/child_spec.h>
#include <coppice/cleanup.h>
#include <coppice/condition.h>
#include <coppice/dump.h>
#include <coppice/error.h>
#include <coppice/event.h>
#include <coppice/exception_group.h>
#include <coppice/future.h>
#include <coppice/gather.h>
#include <coppice/group.h>
#include <coppice/latch.h>
#include <coppice/mutex.h>
#include <coppice/options.h>
#include <coppice/outcome.h>
#include <coppice/race.h>
#include <coppice/report.h>
#include <coppice/runtime.h>
#include <coppice/scope.h>
#include <coppice/select.h>
#include <coppice/semaphore.h>
#include <coppice/shield.h>
#include <coppice/shutdown.h>
#include <coppice/signals.h>
#include <coppice/spawn.h>
#include <coppice/supervisor.h>
#include <coppice/task.h>
#include <coppice/task_local.h>
#include <coppice/time.h>
#include <coppice/version.h>
#include <coppice/wait.h>
