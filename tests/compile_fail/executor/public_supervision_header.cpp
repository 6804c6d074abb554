// The executor knows nothing of supervision: its public headers are not found from there.
// expect: coppice/runtime.h.*(No such file|file not found)
#ifdef CONTROL
#include <coppice/cancel.h>
#else
#include <coppice/runtime.h>
#endif
