// How much memory does a supervised task that waits take beyond its frame, and does it come back?
#include <coppice/awaiter.h>
#include <coppice/detail/frame_cache.h>
#include <coppice/detail/wait.h>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

#include "bench/supervision/growing.h"
#include "bench/support/crowd.h"
#include "bench/support/opaque.h"

namespace bench::supervision_suite {
namespace {

using coppice::detail::job;
using coppice::detail::ticket;
using coppice::detail::worker_core;

double resident_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                             &std::fclose);
  unsigned long all = 0;
  unsigned long resident = 0;
  require(file != nullptr && std::fscanf(file.get(), "%lu %lu", &all, &resident) == 2,
          "cannot read /proc/self/statm");
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Waits until cancelled; nothing is kept for it but its slot.
class never_source {
 public:
  using value_type = void;
  static constexpr const char* name = "nothing";

  bool ready() const noexcept { return false; }
  void arm(const ticket&, worker_core&) const noexcept {}
  void disarm() const noexcept {}
  void result() const noexcept {}
};

class never_performed {
 public:
  using value_type = void;
  void start(coppice::completion<> done) noexcept { done_ = std::move(done); }
  void cancel() noexcept { std::exchange(done_, {}).stopped(); }

 private:
  coppice::completion<> done_;
};

// What the frame itself takes, as a leaf sees it: frames lie in slabs of one size.
class frame_size {
 public:
  void look(void* local) noexcept {
    bytes_.store(coppice::detail::frame_slab::of(local)->block_bytes, std::memory_order_relaxed);
  }
  double bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> bytes_{0};
};

task<> sleeping(crowd& all, frame_size& size) {
  std::uint64_t local = 0;
  size.look(&local);
  all.falls_asleep();
  co_await coppice::sleep_for(std::chrono::hours(1));
  forget(local);
}
task<> waiting(crowd& all, frame_size& size) {
  std::uint64_t local = 0;
  size.look(&local);
  all.falls_asleep();
  co_await coppice::detail::wait_operation<never_source>(never_source());
  forget(local);
}
task<> performing(crowd& all, frame_size& size) {
  never_performed operation;
  size.look(&operation);
  all.falls_asleep();
  co_await coppice::perform(operation);
}

using leaf_task = task<> (*)(crowd&, frame_size&);

// Each has a handle, or they are what one task gathers.
enum class made { spawned, gathered };

task<> gather_all(crowd& all, frame_size& size, leaf_task leaf) {
  co_await coppice::gather_n(all.size(), [&](std::size_t) { return leaf(all, size); });
}

// Bytes resident when so many wait, before and behind.
task<double> resident_for(crowd& all, frame_size& size, leaf_task leaf, made how) {
  const double before = resident_bytes();
  double with = 0;
  const auto body = [&](task_group& leaves) -> task<> {
    if (how == made::gathered) {
      leaves.spawn(gather_all(all, size, leaf));
    } else {
      for (std::size_t i = 0; i != all.size(); ++i) {
        leaves.spawn(leaf(all, size));
      }
    }
    co_await until_asleep(all);
    with = resident_bytes();
    leaves.cancel();
  };
  co_await coppice::with_group(body);
  co_return with - before;
}

// Whatever the runtime holds once is little beside so many.
template <leaf_task Leaf, made How = made::spawned>
numbers waiting_leaf(const setting& at) {
  const std::size_t count = at.scaled(1'000'000);
  frame_size size;
  runtime on(options_for(at, others::search));
  crowd all(count);
  const double each = on.block_on(resident_for(all, size, Leaf, How)) / static_cast<double>(count);
  using cell = coppice::detail::spawned_cell<void, coppice::detail::started_task<void>>;
  return numbers(0)
      .add("bytes_each", each)
      .add("bytes_frame", size.bytes())
      .add("bytes_beyond_frame", each - size.bytes())
      .add("bytes_cell", How == made::spawned ? sizeof(cell) : 0);
}

// One worker's tasks on their way to the other: a ring.
class handover {
 public:
  bool full() const noexcept {
    return put_.load(std::memory_order_relaxed) - taken_.load(std::memory_order_acquire) ==
           places_.size();
  }
  void put(const ticket& wait) noexcept {
    const std::size_t at = put_.load(std::memory_order_relaxed);
    places_[at % places_.size()] = wait;
    put_.store(at + 1, std::memory_order_release);
  }
  ticket take() noexcept {
    const std::size_t at = taken_.load(std::memory_order_relaxed);
    if (at == put_.load(std::memory_order_acquire)) {
      return {};
    }
    const ticket wait = places_[at % places_.size()];
    taken_.store(at + 1, std::memory_order_release);
    return wait;
  }

 private:
  std::array<ticket, 1'024> places_;
  alignas(64) std::atomic<std::size_t> put_{0};
  alignas(64) std::atomic<std::size_t> taken_{0};
};

class handed_over {
 public:
  using value_type = void;
  static constexpr const char* name = "the other worker";

  explicit handed_over(handover& to) noexcept : to_(to) {}
  bool ready() const noexcept { return false; }
  void arm(const ticket& wait, worker_core&) const noexcept { to_.put(wait); }
  void disarm() const noexcept {}
  void result() const noexcept {}

 private:
  handover& to_;
};

task<> hand_over(handover& to) {
  co_await coppice::detail::wait_operation<handed_over>(handed_over(to));
}

// Keeps its worker: every task is made, and suspends, there.
task<> suspend_here(task_group& tasks, handover& to, std::size_t count, std::atomic<bool>& other) {
  while (!other.load(std::memory_order_acquire)) {
  }
  for (std::size_t i = 0; i != count; ++i) {
    while (to.full()) {
    }
    tasks.spawn(coppice::spawn_options{.start = coppice::start_mode::immediate}, hand_over(to));
  }
  co_return;
}

// All end on the worker that this one yields to.
task<> resume_there(handover& from, std::size_t count, std::atomic<bool>& here,
                    std::array<double, 2>& resident) {
  here.store(true, std::memory_order_release);
  for (std::size_t i = 0; i != count;) {
    const ticket wait = from.take();
    if (!wait) {
      continue;
    }
    if (wait.claim() == coppice::detail::claim_result::won) {
      coppice::detail::this_worker()->post(wait.at->waiter().resumption());
    }
    if (++i == count / 10) {
      resident[0] = resident_bytes();
    }
    if (i % 16 == 0) {
      co_await coppice::yield();
    }
  }
  resident[1] = resident_bytes();
}

numbers resumed_elsewhere(const setting& at) {
  runtime on(options_for(at, others::search));
  const std::size_t count = at.quick ? 1'000'000 : 100'000'000;
  std::array<double, 2> resident{};
  const auto main = [&]() -> task<> {
    const auto ring = std::make_unique<handover>();
    std::atomic<bool> ready{false};
    const auto body = [&](task_group& tasks) -> task<> {
      tasks.spawn(suspend_here(tasks, *ring, count, ready));
      tasks.spawn(resume_there(*ring, count, ready, resident));
      co_return;
    };
    co_await coppice::with_group(body);
  };
  const auto begun = clock::now();
  on.block_on(main);
  return numbers(ns_since(begun) / static_cast<double>(count))
      .add("suspensions", static_cast<double>(count))
      .add("kib_grown", (resident[1] - resident[0]) / 1024)
      .add("kib_resident", resident[1] / 1024);
}

constexpr row rows[] = {
    {"memory/sleeper", 1, &waiting_leaf<&sleeping>},
    {"memory/waiter", 1, &waiting_leaf<&waiting>},
    {"memory/performer", 1, &waiting_leaf<&performing>},
    {"memory/gathered_sleeper", 1, &waiting_leaf<&sleeping, made::gathered>},
    {"memory/gathered_waiter", 1, &waiting_leaf<&waiting, made::gathered>},
    {"memory/gathered_performer", 1, &waiting_leaf<&performing, made::gathered>},
    {"memory/resumed_elsewhere", 2, &resumed_elsewhere},
};

}  // namespace

double bytes_of_sleepers(runtime& on, std::size_t size) {
  frame_size frame;
  crowd all(size);
  return on.block_on(resident_for(all, frame, &sleeping, made::spawned)) /
         static_cast<double>(size);
}

std::span<const row> memory_rows() noexcept {
  return rows;
}

}  // namespace bench::supervision_suite
