// A time at which something happens that is no task's wait: a deadline.
//
// A worker's loop rings it. One that only asks tasks to stop rings in the midst of a task as well, when that asks whether it
// is to stop: else no deadline would pass while all workers compute.
//
// While it is set it holds a reference to what it lies in, and so does the job that rings it. It is set, moved and
// cleared by one worker at a time.
#pragma once

#include <coppice/clock.h>
#include <coppice/detail/export.h>
#include <coppice/detail/job.h>
#include <coppice/detail/suspension.h>

namespace coppice::inline v0::detail {

class COPPICE_EXPORT alarm : public suspension, job {
 public:
  // Sets it, unless it has begun to ring: then false. Throws std::bad_alloc, and is then not set.
  bool set(time_point due, worker_core& here);

  // It shall not ring any more; false if it has begun to.
  bool clear(worker_core& here) noexcept;

  // Of the job of a suspension: is that an alarm, and one that rings anywhere?
  static bool rings_anywhere(const job& due) noexcept { return due.run == &ring_anywhere; }

 protected:
  enum class rings { in_the_loop, anywhere };

  explicit alarm(rings where = rings::in_the_loop) noexcept;
  ~alarm() = default;

 private:
  static void ring_in_the_loop(job& self, worker_core& here) noexcept;
  static void ring_anywhere(job& self, worker_core& here) noexcept;

  virtual void ring(worker_core& here) noexcept = 0;
  virtual void keep() noexcept = 0;    // One more reference.
  virtual void let_go() noexcept = 0;  // One less; *this may be gone.

  void release(worker_core& here) noexcept;

  ticket wait_;  // Whoever sets it. Stays, and is void, once it has begun to ring.
};

}  // namespace coppice::inline v0::detail
