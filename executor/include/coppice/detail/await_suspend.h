// How await_suspend is marked, for compilers that would inline it too early.
#pragma once

// A compiler that inlines await_suspend before it splits the coroutine may keep its locals in the frame,
// which another thread can have destroyed by then (LLVM 65018, mended in clang 18).
#if defined(__clang__) && __clang_major__ < 18
#define COPPICE_AWAIT_SUSPEND __attribute__((noinline))
#else
#define COPPICE_AWAIT_SUSPEND
#endif
