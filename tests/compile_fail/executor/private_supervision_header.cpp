// The executor knows nothing of supervision: its private headers are not found from there either,
// while the executor's own are.
// expect: supervision/scope_state.h.*(No such file|file not found)
#ifdef CONTROL
#include "executor/setting_text.h"
#else
#include "supervision/scope_state.h"
#endif
