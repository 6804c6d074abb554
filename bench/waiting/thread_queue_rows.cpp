// What does the same cost where plain threads wait at a queue: with a lock and two conditions, and oneTBB's?
#include <oneapi/tbb/concurrent_queue.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "bench/waiting/threads.h"
#include "bench/waiting/traffic.h"

namespace bench::waiting_suite {
namespace {

// As one writes it.
template <class T>
class locked_queue {
 public:
  explicit locked_queue(std::size_t most) : most_(most) {}

  void push(T value) {
    {
      std::unique_lock lock(mutex_);
      not_full_.wait(lock, [this] { return items_.size() != most_; });
      items_.push_back(value);
    }
    not_empty_.notify_one();
  }

  std::optional<T> pop() {
    std::optional<T> first;
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait(lock, [this] { return !items_.empty() || closed_; });
      if (items_.empty()) {
        return first;
      }
      first = items_.front();
      items_.pop_front();
    }
    not_full_.notify_one();
    return first;
  }

  void close(unsigned /*receivers*/) {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<T> items_;
  const std::size_t most_;
  bool closed_ = false;
};

// It cannot be closed: each receiver gets an empty one at the end.
template <class T>
class tbb_queue {
 public:
  explicit tbb_queue(std::size_t most) { items_.set_capacity(static_cast<std::ptrdiff_t>(most)); }

  void push(T value) { items_.push(std::optional<T>(value)); }

  std::optional<T> pop() {
    std::optional<T> first;
    items_.pop(first);
    return first;
  }

  void close(unsigned receivers) {
    for (unsigned i = 0; i != receivers; ++i) {
      items_.push(std::nullopt);
    }
  }

 private:
  tbb::concurrent_bounded_queue<std::optional<T>> items_;
};

// A thread each.
template <template <class> class Queue, unsigned Senders, unsigned Receivers>
numbers channel(const setting& at) {
  return throughput(at, [&](std::size_t items, tally& all) {
    Queue<item> through(capacity);
    std::atomic<unsigned> sending(Senders);
    std::vector<tally> received(Receivers);
    const double ns = time_on_threads(Senders + Receivers, at.workers, [&](unsigned me) {
      if (me >= Senders) {
        tally mine;
        while (const auto each = through.pop()) {
          mine.add(*each);
        }
        received[me - Senders] = mine;
        return;
      }
      const part mine = part::of(items, Senders, me);
      for (std::size_t i = mine.from; i != mine.until; ++i) {
        through.push(item::sent_here(i));
      }
      if (sending.fetch_sub(1) == 1) {
        through.close(Receivers);
      }
    });
    for (const tally& each : received) {
      all.add(each);
    }
    return ns;
  });
}

template <template <class> class Queue>
numbers uncontended(const setting& at) {
  return median_of_rounds(at, [&](std::size_t items) {
    Queue<item> through(capacity);
    tally all;
    const double ns = time_on_threads(1, at.workers, [&](unsigned) {
      for (std::size_t i = 0; i != items; ++i) {
        through.push(item{static_cast<std::uint32_t>(i), 0});
        all.add(*through.pop());
      }
    });
    all.require_all(items);
    return ns;
  });
}

template <template <class> class Queue, unsigned Senders, unsigned Receivers>
numbers latency(const setting& at) {
  const std::size_t count = parcels(at, {Senders, Receivers});
  Queue<parcel> through(capacity);
  std::vector<std::unique_ptr<Queue<receipt>>> receipts;
  for (unsigned i = 0; i != Senders; ++i) {
    receipts.push_back(std::make_unique<Queue<receipt>>(1));
  }
  std::atomic<unsigned> sending(Senders);
  std::vector<latencies> seen(Receivers, latencies(count * Senders));
  time_on_threads(Senders + Receivers, at.workers, [&](unsigned me) {
    if (me >= Senders) {
      while (const auto each = through.pop()) {
        seen[me - Senders].add(*each);
        receipts[each->sender]->push(receipt());
      }
      return;
    }
    for (std::size_t i = 0; i != count; ++i) {
      through.push(parcel{ticks_now(), me});
      static_cast<void>(receipts[me]->pop());
    }
    if (sending.fetch_sub(1) == 1) {
      through.close(Receivers);
    }
  });
  latencies all(0);
  for (const latencies& each : seen) {
    all.add(each);
  }
  return all.distribution_of(count * Senders);
}

constexpr row rows[] = {
    {"std/channel_uncontended", 1, &uncontended<locked_queue>},
    {"std/channel_1_to_1", 2, &channel<locked_queue, 1, 1>},
    {"std/channel_4_to_1", 2, &channel<locked_queue, 4, 1>},
    {"std/channel_1_to_4", 2, &channel<locked_queue, 1, 4>},
    {"std/channel_4_to_4", 2, &channel<locked_queue, 4, 4>},
    {"std/latency_1_to_1", 2, &latency<locked_queue, 1, 1>},
    {"std/latency_4_to_1", 2, &latency<locked_queue, 4, 1>},
    {"std/latency_1_to_4", 2, &latency<locked_queue, 1, 4>},
    {"std/latency_4_to_4", 2, &latency<locked_queue, 4, 4>},
    {"onetbb/channel_uncontended", 1, &uncontended<tbb_queue>},
    {"onetbb/channel_1_to_1", 2, &channel<tbb_queue, 1, 1>},
    {"onetbb/channel_4_to_1", 2, &channel<tbb_queue, 4, 1>},
    {"onetbb/channel_1_to_4", 2, &channel<tbb_queue, 1, 4>},
    {"onetbb/channel_4_to_4", 2, &channel<tbb_queue, 4, 4>},
    {"onetbb/latency_1_to_1", 2, &latency<tbb_queue, 1, 1>},
    {"onetbb/latency_4_to_1", 2, &latency<tbb_queue, 4, 1>},
    {"onetbb/latency_1_to_4", 2, &latency<tbb_queue, 1, 4>},
    {"onetbb/latency_4_to_4", 2, &latency<tbb_queue, 4, 4>},
};

}  // namespace

std::span<const row> thread_queue_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
