// What do a push, a pop and a steal cost?
#include <coppice/detail/deque.h>

#include <array>
#include <atomic>
#include <thread>

#include "bench/executor/row.h"

namespace bench::executor_suite {
namespace {

using deque = coppice::detail::deque<const std::size_t>;

constexpr std::size_t burst = 32;

// Something to push: each item knows its number.
class items {
 public:
  explicit items(std::size_t count) : all_(count) {
    for (std::size_t i = 0; i != count; ++i) {
      all_[i] = i;
    }
  }
  const std::size_t* operator[](std::size_t i) const noexcept { return &all_[i]; }
  std::size_t size() const noexcept { return all_.size(); }
  std::size_t sum() const noexcept { return size() * (size() - 1) / 2; }

 private:
  std::vector<std::size_t> all_;
};

// An item that no thief wants keeps the public part full, and so all others private: the way of a
// fork whose sibling nobody steals.
numbers private_push_pop(const setting& at) {
  const items some(burst);
  const std::size_t bait = 0;
  deque own;
  static_cast<void>(own.push(&bait));
  const std::size_t rounds = at.scaled(1'000'000);
  std::size_t wrong = 0;
  const auto begun = clock::now();
  for (std::size_t round = 0; round != rounds; ++round) {
    for (std::size_t i = 0; i != burst; ++i) {
      wrong += own.push(some[i]) ? 1 : 0;
    }
    for (std::size_t i = burst; i != 0; --i) {
      wrong += own.pop() != some[i - 1] ? 1 : 0;
    }
  }
  const double ns = ns_since(begun);
  require(wrong == 0 && own.pop() == &bait, "a pop gave another item than was pushed");
  return numbers(ns / static_cast<double>(rounds * burst));
}

// Into an empty deque and out again: each push publishes, each pop competes with thieves.
numbers public_push_pop(const setting& at) {
  const items some(1);
  deque own;
  const std::size_t rounds = at.scaled(5'000'000);
  std::size_t wrong = 0;
  const auto begun = clock::now();
  for (std::size_t round = 0; round != rounds; ++round) {
    wrong += own.push(some[0]) ? 0 : 1;
    wrong += own.pop() != some[0] ? 1 : 0;
  }
  const double ns = ns_since(begun);
  require(wrong == 0, "a pop gave another item than was pushed");
  return numbers(ns / static_cast<double>(rounds));
}

// By one thread, so that no cache line travels: what the instructions cost.
numbers steal_undisturbed(const setting& at) {
  const items some(256);
  deque own;
  const std::size_t rounds = at.scaled(20'000);
  std::size_t wrong = 0;
  double push_ns = 0;
  double steal_ns = 0;
  for (std::size_t round = 0; round != rounds; ++round) {
    const auto begun = clock::now();
    for (std::size_t i = 0; i != some.size(); ++i) {
      static_cast<void>(own.push(some[i]));
    }
    own.publish();
    const auto pushed = clock::now();
    push_ns += std::chrono::duration<double, std::nano>(pushed - begun).count();
    for (std::size_t i = 0; i != some.size(); ++i) {
      wrong += own.steal() != some[i] ? 1 : 0;
    }
    steal_ns += ns_since(pushed);
  }
  require(wrong == 0, "a steal gave another item than was pushed");
  const auto count = static_cast<double>(rounds * some.size());
  return numbers(steal_ns / count).add("ns_push", push_ns / count);
}

// An owner that pushes and, when it is far ahead, pops, against a thief that does nothing but steal.
numbers push_against_thief(const setting& at) {
  constexpr std::size_t far_ahead = 256;
  const items all(at.scaled(3'000'000));
  deque own;
  std::atomic<bool> thief_ready{false};
  std::atomic<bool> pushed_all{false};
  std::size_t stolen = 0;
  std::size_t stolen_sum = 0;
  std::thread thief([&] {
    thief_ready.store(true, std::memory_order_release);
    for (bool last = false;;) {
      if (const std::size_t* const item = own.steal()) {
        ++stolen;
        stolen_sum += *item;
      } else if (last) {
        return;
      } else {
        last = pushed_all.load(std::memory_order_acquire);
      }
    }
  });
  while (!thief_ready.load(std::memory_order_acquire)) {
    std::this_thread::yield();
  }
  std::size_t popped = 0;
  std::size_t popped_sum = 0;
  const auto pop = [&] {
    if (const std::size_t* const item = own.pop()) {
      ++popped;
      popped_sum += *item;
      return true;
    }
    return false;
  };
  const auto begun = clock::now();
  for (std::size_t i = 0; i != all.size(); ++i) {
    static_cast<void>(own.push(all[i]));
    while (own.size() > far_ahead && pop()) {
    }
  }
  while (pop()) {
  }
  const double ns = ns_since(begun);
  pushed_all.store(true, std::memory_order_release);
  thief.join();
  require(popped + stolen == all.size() && popped_sum + stolen_sum == all.sum(),
          "an item was lost, or taken twice");
  const auto count = static_cast<double>(all.size());
  return numbers(ns / count).add("percent_stolen", 100 * static_cast<double>(stolen) / count);
}

constexpr row rows[] = {
    {"deque/push_pop/private", 1, &private_push_pop},
    {"deque/push_pop/public", 1, &public_push_pop},
    {"deque/steal/undisturbed", 1, &steal_undisturbed},
    {"deque/push_against_thief", 2, &push_against_thief},
};

}  // namespace

std::span<const row> deque_rows() noexcept {
  return rows;
}

}  // namespace bench::executor_suite
