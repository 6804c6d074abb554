// The frames of each way.
#include "bench/unwind/ways.h"

#include "bench/support/opaque.h"

namespace bench::unwind_suite {
namespace {

BENCH_OPAQUE task<> down_to_stop(fall& one, std::size_t frames) {
  const fall::local here(one);
  if (frames == 1) {
    one.begin();
    co_await coppice::stop();
  } else {
    co_await down_to_stop(one, frames - 1);
  }
}

BENCH_OPAQUE task<> down_to_throw(fall& one, std::size_t frames) {
  const fall::local here(one);
  if (frames == 1) {
    one.begin();
    throw bottom_reached();
  }
  co_await down_to_throw(one, frames - 1);
}

BENCH_OPAQUE task<> down_by_nothrow(fall& one, std::size_t frames) {
  const fall::local here(one);
  if (frames == 1) {
    one.begin();
    throw bottom_reached();
  }
  co_await coppice::nothrow(down_by_nothrow(one, frames - 1));
}

BENCH_OPAQUE task<> down_to_return(fall& one, std::size_t frames) {
  const fall::local here(one);
  if (frames == 1) {
    one.begin();
  } else {
    co_await down_to_return(one, frames - 1);
  }
}

}  // namespace

const way stop_way = {&down_to_stop, coppice::task_status::cancelled};
const way throw_way = {&down_to_throw, coppice::task_status::failed};
const way nothrow_way = {&down_by_nothrow, coppice::task_status::failed};
const way return_way = {&down_to_return, coppice::task_status::completed};

}  // namespace bench::unwind_suite
