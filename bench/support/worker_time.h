// How long work takes on workers, without the way there.
#pragma once

#include <coppice/coppice.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "bench/support/bare_frame.h"
#include "bench/support/row.h"

namespace bench {

// Nanoseconds.
inline coppice::task<double> time_on_worker(coppice::task<> work) {
  const auto begun = clock::now();
  co_await std::move(work);
  co_return ns_since(begun);
}

// Keeps its worker until the others have one too.
template <class Work>
coppice::task<> work_in_line(Work& work, line_up& start, double& ns) {
  start.wait();
  const auto begun = clock::now();
  co_await work();
  ns = ns_since(begun);
}

// The same of as many tasks `work()` as there are workers, until the slowest is through.
template <class Work>
coppice::task<double> time_on_every_worker(unsigned workers, Work& work) {
  line_up start(workers);
  std::vector<double> ns(workers, 0);
  const auto body = [&](coppice::task_group& group) -> coppice::task<> {
    for (double& mine : ns) {
      group.spawn(work_in_line(work, start, mine));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  co_return std::ranges::max(ns);
}

}  // namespace bench
