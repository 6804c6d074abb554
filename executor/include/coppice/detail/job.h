// A unit of work that a worker can run: an intrusive link and the function that runs it.
#pragma once

namespace coppice::inline v0::detail {

class worker_core;

// Lies in what it stands for (a promise, a fork, an outcome cell), so queueing never allocates. A job is in
// one queue at a time; `next` belongs to the queue it is in, and to its owner otherwise.
struct job {
  job* next;
  void (*run)(job&, worker_core&) noexcept;
};

}  // namespace coppice::inline v0::detail
