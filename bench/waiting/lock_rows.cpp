// What does it cost to take a lock or a permit that nobody wants, and to hand over one that others wait for?
#include <coppice/group.h>
#include <coppice/mutex.h>
#include <coppice/runtime.h>
#include <coppice/semaphore.h>

#include <mutex>
#include <semaphore>

#include "bench/waiting/rounds.h"
#include "bench/waiting/threads.h"

namespace bench::waiting_suite {
namespace {

using coppice::runtime;
using coppice::task;
using coppice::task_group;

constexpr unsigned contenders = 8;

struct mutex_case {
  auto take() { return mutex.lock(); }
  coppice::async_mutex mutex;
};

struct semaphore_case {
  auto take() { return permits.acquire(); }
  coppice::async_semaphore permits{1};
};

template <class Case>
task<> take_often(Case& of, std::size_t times, std::uint64_t& count) {
  for (std::size_t i = 0; i != times; ++i) {
    const auto held = co_await of.take();
    ++count;
  }
}

template <class Case>
numbers uncontended(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  return median_of_rounds(at, [&](std::size_t times) {
    Case of;
    std::uint64_t count = 0;
    const auto begun = clock::now();
    on.block_on(take_often(of, times, count));
    const double ns = ns_since(begun);
    require(count == times, "the lock was not taken as often as it was asked for");
    return ns;
  });
}

// Who lets go asks again behind the others: once they all wait, each time it is handed over.
template <class Case>
task<> take_in_turns(Case& of, std::size_t times, std::uint64_t& count) {
  const auto body = [&](task_group& group) -> task<> {
    const auto held = co_await of.take();
    for (unsigned i = 0; i != contenders; ++i) {
      group.spawn(take_often(of, times / contenders, count));
    }
    for (int i = 0; i != 100; ++i) {
      co_await coppice::yield();
    }
  };
  co_await coppice::with_group(body);
}

template <class Case>
numbers handover(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  return median_of_rounds(at, [&](std::size_t times) {
    Case of;
    std::uint64_t count = 0;
    const auto begun = clock::now();
    on.block_on(take_in_turns(of, times, count));
    const double ns = ns_since(begun);
    require(count == times, "the lock did not exclude others");
    return ns;
  });
}

// A thread that lets go may take it again before any other.
template <class Lock>
double contend(const setting& at, std::size_t times, Lock take) {
  std::uint64_t count = 0;
  const double ns = time_on_threads(contenders, at.workers, [&](unsigned) {
    for (std::size_t i = 0; i != times / contenders; ++i) {
      take([&count] { ++count; });
    }
  });
  require(count == times, "the lock did not exclude others");
  return ns;
}

numbers std_mutex(const setting& at) {
  return median_of_rounds(at, [&](std::size_t times) {
    std::mutex mutex;
    return contend(at, times, [&](auto inside) {
      const std::lock_guard held(mutex);
      inside();
    });
  });
}

numbers std_semaphore(const setting& at) {
  return median_of_rounds(at, [&](std::size_t times) {
    std::counting_semaphore<> permits(1);
    return contend(at, times, [&](auto inside) {
      permits.acquire();
      inside();
      permits.release();
    });
  });
}

// ---- Two that always wait for each other ----------------------------------------------------------

struct two_semaphores {
  coppice::async_semaphore there{0};
  coppice::async_semaphore back{0};
};

task<> echo(two_semaphores& both, std::size_t times) {
  for (std::size_t i = 0; i != times; ++i) {
    auto permit = co_await both.there.acquire();
    permit.forget();
    both.back.release();
  }
}

task<> there_and_back(two_semaphores& both, std::size_t times) {
  const auto body = [&](task_group& group) -> task<> {
    group.spawn(echo(both, times));
    for (std::size_t i = 0; i != times; ++i) {
      both.there.release();
      auto permit = co_await both.back.acquire();
      permit.forget();
    }
  };
  co_await coppice::with_group(body);
}

numbers round_trip(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  return median_of_rounds(at, [&](std::size_t times) {
    two_semaphores both;
    const auto begun = clock::now();
    on.block_on(there_and_back(both, times));
    return ns_since(begun);
  });
}

numbers std_round_trip(const setting& at) {
  return median_of_rounds(at, [&](std::size_t times) {
    std::counting_semaphore<> there(0);
    std::counting_semaphore<> back(0);
    return time_on_threads(2, at.workers, [&](unsigned me) {
      for (std::size_t i = 0; i != times; ++i) {
        if (me == 0) {
          there.release();
          back.acquire();
        } else {
          there.acquire();
          back.release();
        }
      }
    });
  });
}

constexpr row rows[] = {
    {"coppice/mutex_uncontended", 1, &uncontended<mutex_case>},
    {"coppice/semaphore_uncontended", 1, &uncontended<semaphore_case>},
    {"coppice/mutex_handover", 1, &handover<mutex_case>},
    {"coppice/mutex_handover", 2, &handover<mutex_case>},
    {"coppice/semaphore_handover", 1, &handover<semaphore_case>},
    {"coppice/semaphore_handover", 2, &handover<semaphore_case>},
    {"coppice/semaphore_round_trip", 1, &round_trip},
    {"coppice/semaphore_round_trip", 2, &round_trip},
    {"std/mutex_handover", 2, &std_mutex},
    {"std/semaphore_handover", 2, &std_semaphore},
    {"std/semaphore_round_trip", 2, &std_round_trip},
};

}  // namespace

std::span<const row> lock_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
