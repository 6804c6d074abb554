// What does the same cost with the channels of Boost.Asio, and its coroutines? And how soon is a task of ours gone that
// waits for one of its operations?
#include <coppice/asio.h>
#include <coppice/group.h>
#include <coppice/runtime.h>
#include <coppice/sleep.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <memory>
#include <optional>

#include "bench/waiting/threads.h"
#include "bench/waiting/traffic.h"

namespace bench::waiting_suite {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using boost::system::error_code;

// Empty: there will be no more.
template <class T>
using shared_channel = asio::experimental::concurrent_channel<void(error_code, std::optional<T>)>;
template <class T>
using own_channel = asio::experimental::channel<void(error_code, std::optional<T>)>;

// All coroutines on so many threads, each with a core of its own, until none is left.
double run(asio::io_context& on, unsigned threads) {
  return time_on_threads(threads, threads, [&](unsigned) { on.run(); });
}

template <class On>
void start(On&& on, awaitable<void> one) {
  asio::co_spawn(on, std::move(one), [](const std::exception_ptr& failure) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  });
}

// The last sender says so to each receiver.
template <class Channel>
awaitable<void> send_part(Channel& to, part mine, std::atomic<unsigned>& sending,
                          unsigned receivers) {
  for (std::size_t i = mine.from; i != mine.until; ++i) {
    co_await to.async_send(error_code(), item::sent_here(i), use_awaitable);
  }
  if (sending.fetch_sub(1) == 1) {
    for (unsigned i = 0; i != receivers; ++i) {
      co_await to.async_send(error_code(), std::nullopt, use_awaitable);
    }
  }
}

template <class Channel>
awaitable<void> receive_some(Channel& from, tally& into) {
  tally mine;
  for (;;) {
    const auto each = co_await from.async_receive(use_awaitable);
    if (!each) {
      break;
    }
    mine.add(*each);
  }
  into = mine;
}

template <template <class> class Channel, unsigned Senders, unsigned Receivers>
numbers channel(const setting& at) {
  return throughput(at, [&](std::size_t items, tally& all) {
    asio::io_context on(static_cast<int>(at.workers));
    Channel<item> through(on, capacity);
    std::atomic<unsigned> sending(Senders);
    std::vector<tally> received(Receivers);
    for (tally& each : received) {
      start(on, receive_some(through, each));
    }
    for (unsigned i = 0; i != Senders; ++i) {
      start(on, send_part(through, part::of(items, Senders, i), sending, Receivers));
    }
    const double ns = run(on, at.workers);
    for (const tally& each : received) {
      all.add(each);
    }
    return ns;
  });
}

awaitable<void> send_to_itself(own_channel<item>& through, std::size_t items, tally& all) {
  for (std::size_t i = 0; i != items; ++i) {
    co_await through.async_send(error_code(), item{static_cast<std::uint32_t>(i), 0},
                                use_awaitable);
    const auto each = co_await through.async_receive(use_awaitable);
    all.add(*each);
  }
}

numbers uncontended(const setting& at) {
  return median_of_rounds(at, [&](std::size_t items) {
    asio::io_context on(1);
    own_channel<item> through(on, capacity);
    tally all;
    start(on, send_to_itself(through, items, all));
    const double ns = run(on, at.workers);
    all.require_all(items);
    return ns;
  });
}

// ---- Latency ------------------------------------------------------------------------------------

struct post_office {
  post_office(asio::io_context& on, unsigned senders) : parcels(on, capacity), sending(senders) {
    for (unsigned i = 0; i != senders; ++i) {
      receipts.push_back(std::make_unique<shared_channel<receipt>>(on, 1));
    }
  }

  shared_channel<parcel> parcels;
  std::vector<std::unique_ptr<shared_channel<receipt>>> receipts;  // For each sender.
  std::atomic<unsigned> sending;
};

awaitable<void> send_parcels(post_office& through, unsigned me, std::size_t count,
                             unsigned receivers) {
  for (std::size_t i = 0; i != count; ++i) {
    co_await through.parcels.async_send(error_code(), parcel{ticks_now(), me}, use_awaitable);
    co_await through.receipts[me]->async_receive(use_awaitable);
  }
  if (through.sending.fetch_sub(1) == 1) {
    for (unsigned i = 0; i != receivers; ++i) {
      co_await through.parcels.async_send(error_code(), std::nullopt, use_awaitable);
    }
  }
}

awaitable<void> receive_parcels(post_office& from, latencies& seen) {
  for (;;) {
    const auto each = co_await from.parcels.async_receive(use_awaitable);
    if (!each) {
      break;
    }
    seen.add(*each);
    co_await from.receipts[each->sender]->async_send(error_code(), receipt(), use_awaitable);
  }
}

template <unsigned Senders, unsigned Receivers>
numbers latency(const setting& at) {
  const std::size_t count = parcels(at, {Senders, Receivers});
  asio::io_context on(static_cast<int>(at.workers));
  post_office through(on, Senders);
  std::vector<latencies> seen(Receivers, latencies(count * Senders));
  for (latencies& each : seen) {
    start(on, receive_parcels(through, each));
  }
  for (unsigned i = 0; i != Senders; ++i) {
    start(on, send_parcels(through, i, count, Receivers));
  }
  run(on, at.workers);
  latencies all(0);
  for (const latencies& each : seen) {
    all.add(each);
  }
  return all.distribution_of(count * Senders);
}

// ---- The others ---------------------------------------------------------------------------------

// The time never comes. What is waited for at once needs a strand: a timer is for one thread at a time.
awaitable<void> receive_with_deadline(shared_channel<item>& from, tally& all) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer deadline(co_await asio::this_coro::executor);
  for (;;) {
    deadline.expires_after(std::chrono::hours(1));
    const auto each =
        co_await (from.async_receive(use_awaitable) || deadline.async_wait(use_awaitable));
    if (!std::get<0>(each)) {
      break;
    }
    all.add(*std::get<0>(each));
  }
}

numbers select_deadline(const setting& at) {
  return median_of_rounds(at, [&](std::size_t items) {
    asio::io_context on(static_cast<int>(at.workers));
    shared_channel<item> through(on, capacity);
    std::atomic<unsigned> sending(1);
    tally all;
    start(asio::make_strand(on), receive_with_deadline(through, all));
    start(on, send_part(through, part::of(items, 1, 0), sending, 1));
    const double ns = run(on, at.workers);
    all.require_all(items);
    return ns;
  });
}

awaitable<std::uint64_t> call(std::uint64_t value) {
  co_return value;
}

awaitable<void> call_often(asio::thread_pool& beside, std::size_t times, samples& trips) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != times; ++i) {
    const auto begun = clock::now();
    sum += co_await asio::co_spawn(beside, call(i), use_awaitable);
    trips.add(clock::now() - begun);
  }
  require(sum == times * (times - 1) / 2, "a call gave a wrong result");
}

// On one thread of another pool.
numbers blocking(const setting& at) {
  const std::size_t times = at.scaled(20'000);
  asio::io_context on(static_cast<int>(at.workers));
  asio::thread_pool beside(1);
  samples trips(times);
  start(on, call_often(beside, times, trips));
  run(on, at.workers);
  beside.join();
  return distribution(trips);
}

// Says when it went.
class last_seen {
 public:
  explicit last_seen(clock::time_point& gone) noexcept : gone_(gone) {}
  last_seen(const last_seen&) = delete;
  last_seen& operator=(const last_seen&) = delete;
  ~last_seen() { gone_ = clock::now(); }

 private:
  clock::time_point& gone_;
};

coppice::task<> stop_often(coppice::io_thread& io, std::size_t times, samples& stops) {
  for (std::size_t i = 0; i != times; ++i) {
    clock::time_point gone;
    asio::steady_timer never(io.get_executor(), std::chrono::hours(1));
    const auto wait = [&]() -> coppice::task<> {
      const last_seen here(gone);
      co_await never.async_wait(coppice::use_task);
    };
    clock::time_point asked;
    const auto body = [&](coppice::task_group& group) -> coppice::task<> {
      group.spawn(wait);
      co_await coppice::sleep_for(std::chrono::microseconds(50));
      asked = clock::now();
      group.cancel();
    };
    co_await coppice::with_group(body);
    require(gone > asked, "a task was gone before it was asked to stop");
    stops.add(gone - asked);
  }
}

// From the cancel of a task that waits for an operation to the end of its frame.
numbers stop_latency(const setting& at) {
  coppice::runtime on({.threads = at.workers, .pin = "compact"});
  coppice::io_thread io;
  const std::size_t times = at.scaled(20'000);
  samples stops(times);
  on.block_on(stop_often(io, times, stops));
  return distribution(stops);
}

constexpr row rows[] = {
    {"asio/channel_uncontended", 1, &uncontended},
    {"asio/channel_1_to_1", 1, &channel<own_channel, 1, 1>},
    {"asio/channel_1_to_1", 2, &channel<shared_channel, 1, 1>},
    {"asio/channel_4_to_1", 2, &channel<shared_channel, 4, 1>},
    {"asio/channel_1_to_4", 2, &channel<shared_channel, 1, 4>},
    {"asio/channel_4_to_4", 1, &channel<own_channel, 4, 4>},
    {"asio/channel_4_to_4", 2, &channel<shared_channel, 4, 4>},
    {"asio/latency_1_to_1", 2, &latency<1, 1>},
    {"asio/latency_4_to_1", 2, &latency<4, 1>},
    {"asio/latency_1_to_4", 2, &latency<1, 4>},
    {"asio/latency_4_to_4", 2, &latency<4, 4>},
    {"asio/select_deadline", 1, &select_deadline},
    {"asio/select_deadline", 2, &select_deadline},
    {"asio/spawn_blocking", 2, &blocking},
    {"coppice/asio_stop", 2, &stop_latency},
};

}  // namespace

std::span<const row> asio_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
