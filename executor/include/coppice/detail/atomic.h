// The atomic of every lock-free header: std::atomic, or the explorer's when a model is built.
//
// A build that defines COPPICE_MODEL puts <coppice_model/atomic.h> on its include path, and there
// coppice_model::atomic<T>, with the members of std::atomic<T> that our headers call. What is
// explored is then the very code that ships. <atomic> is included either way, for the orders.
#pragma once

#include <atomic>

#ifdef COPPICE_MODEL
#include <coppice_model/atomic.h>
#endif

namespace coppice::inline v0::detail {

#ifdef COPPICE_MODEL
template <typename T>
using atomic = coppice_model::atomic<T>;
#else
template <typename T>
using atomic = std::atomic<T>;
#endif

}  // namespace coppice::inline v0::detail
