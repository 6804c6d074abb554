// What does an item cost that goes from task to task through a channel, and how long is it on its way?
#include <coppice/channel.h>
#include <coppice/group.h>
#include <coppice/runtime.h>

#include <memory>
#include <thread>

#include "bench/support/opaque.h"
#include "bench/waiting/threads.h"
#include "bench/waiting/traffic.h"

namespace bench::waiting_suite {
namespace {

using coppice::channel;
using coppice::runtime;
using coppice::task;
using coppice::task_group;

// ---- Throughput ---------------------------------------------------------------------------------

task<> send_part(channel<item>& to, part mine) {
  for (std::size_t i = mine.from; i != mine.until; ++i) {
    co_await to.send(item::sent_here(i));
  }
}

task<> receive_some(channel<item>& from, tally& into) {
  tally mine;
  for (;;) {
    const auto each = co_await from.receive();
    if (!each) {
      break;
    }
    mine.add(*each);
  }
  into = mine;
}

task<> send_all(channel<item>& to, unsigned senders, std::size_t items) {
  const auto body = [&](task_group& sending) -> task<> {
    for (unsigned i = 0; i != senders; ++i) {
      sending.spawn(send_part(to, part::of(items, senders, i)));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  to.close();
}

task<> receive_all(channel<item>& from, unsigned receivers, tally& all) {
  std::vector<tally> received(receivers);
  const auto body = [&](task_group& receiving) -> task<> {
    for (tally& each : received) {
      receiving.spawn(receive_some(from, each));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  for (const tally& each : received) {
    all.add(each);
  }
}

task<> pass_all(channel<item>& through, ends of, std::size_t items, tally& all) {
  const auto body = [&](task_group& both) -> task<> {
    both.spawn(receive_all(through, of.receivers, all));
    both.spawn(send_all(through, of.senders, items));
    co_return;
  };
  co_await coppice::with_group(body);
}

// All on one runtime, where each task runs wherever it is its turn.
template <unsigned Senders, unsigned Receivers, std::size_t Capacity = capacity>
numbers together(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  return throughput(at, [&](std::size_t items, tally& all) {
    channel<item> through(Capacity);
    const auto begun = clock::now();
    on.block_on(pass_all(through, {Senders, Receivers}, items, all));
    return ns_since(begun);
  });
}

// Senders and receivers each on a runtime with one worker and a core of its own.
template <unsigned Senders, unsigned Receivers>
numbers apart(const setting& at) {
  const std::string first = pin_to_core(0);
  const std::string second = pin_to_core(1);
  runtime on_first({.threads = 1, .pin = first});
  runtime on_second({.threads = 1, .pin = second});
  return throughput(at, [&](std::size_t items, tally& all) {
    channel<item> through(capacity);
    const auto begun = clock::now();
    std::thread receiving([&] { on_second.block_on(receive_all(through, Receivers, all)); });
    on_first.block_on(send_all(through, Senders, items));
    receiving.join();
    return ns_since(begun);
  });
}

task<> send_to_itself(channel<item>& through, std::size_t items, tally& all) {
  for (std::size_t i = 0; i != items; ++i) {
    co_await through.send(item{static_cast<std::uint32_t>(i), 0});
    const auto each = co_await through.receive();
    all.add(*each);
  }
}

task<> try_to_itself(channel<item>& through, std::size_t items, tally& all) {
  for (std::size_t i = 0; i != items; ++i) {
    require(through.try_send(item{static_cast<std::uint32_t>(i), 0}), "there is no room");
    all.add(through.try_receive().value());
  }
  co_return;
}

// One task, to which nothing happens but its own sends and receives, in turns.
template <task<> (*Pass)(channel<item>&, std::size_t, tally&)>
numbers uncontended(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  return median_of_rounds(at, [&](std::size_t items) {
    channel<item> through(capacity);
    tally all;
    const auto begun = clock::now();
    on.block_on(Pass(through, items, all));
    const double ns = ns_since(begun);
    all.require_all(items);
    return ns;
  });
}

// ---- Latency ------------------------------------------------------------------------------------

struct post_office {
  explicit post_office(unsigned senders) : parcels(capacity) {
    for (unsigned i = 0; i != senders; ++i) {
      receipts.push_back(std::make_unique<channel<receipt>>(1));
    }
  }

  channel<parcel> parcels;
  std::vector<std::unique_ptr<channel<receipt>>> receipts;  // For each sender.
};

task<> send_parcels(post_office& through, unsigned me, std::size_t count) {
  for (std::size_t i = 0; i != count; ++i) {
    co_await through.parcels.send(parcel{ticks_now(), me});
    co_await through.receipts[me]->receive();
  }
}

task<> receive_parcels(post_office& from, latencies& seen) {
  for (;;) {
    const auto each = co_await from.parcels.receive();
    if (!each) {
      break;
    }
    seen.add(*each);
    co_await from.receipts[each->sender]->send(receipt());
  }
}

task<> send_all_parcels(post_office& to, unsigned senders, std::size_t count) {
  const auto body = [&](task_group& sending) -> task<> {
    for (unsigned i = 0; i != senders; ++i) {
      sending.spawn(send_parcels(to, i, count));
    }
    co_return;
  };
  co_await coppice::with_group(body);
  to.parcels.close();
}

task<> receive_all_parcels(post_office& from, std::vector<latencies>& seen) {
  const auto body = [&](task_group& receiving) -> task<> {
    for (latencies& each : seen) {
      receiving.spawn(receive_parcels(from, each));
    }
    co_return;
  };
  co_await coppice::with_group(body);
}

task<> pass_parcels(post_office& through, unsigned senders, std::size_t count,
                    std::vector<latencies>& seen) {
  const auto body = [&](task_group& both) -> task<> {
    both.spawn(receive_all_parcels(through, seen));
    both.spawn(send_all_parcels(through, senders, count));
    co_return;
  };
  co_await coppice::with_group(body);
}

// `pass(through, count, seen)`: so many parcels a sender.
template <class Pass>
numbers latency(const setting& at, ends of, Pass pass) {
  const std::size_t count = parcels(at, of);
  latencies all(0);
  for (const std::size_t some : {count / 10, count}) {  // The first to warm up.
    post_office through(of.senders);
    std::vector<latencies> seen(of.receivers, latencies(some * of.senders));
    pass(through, some, seen);
    all = latencies(0);
    for (const latencies& each : seen) {
      all.add(each);
    }
  }
  return all.distribution_of(count * of.senders);
}

template <unsigned Senders, unsigned Receivers>
numbers latency_together(const setting& at) {
  runtime on({.threads = at.workers, .pin = "compact"});
  return latency(at, {Senders, Receivers},
                 [&](post_office& through, std::size_t count, std::vector<latencies>& seen) {
                   on.block_on(pass_parcels(through, Senders, count, seen));
                 });
}

template <unsigned Senders, unsigned Receivers>
numbers latency_apart(const setting& at) {
  const std::string first = pin_to_core(0);
  const std::string second = pin_to_core(1);
  runtime on_first({.threads = 1, .pin = first});
  runtime on_second({.threads = 1, .pin = second});
  return latency(
      at, {Senders, Receivers},
      [&](post_office& through, std::size_t count, std::vector<latencies>& seen) {
        std::thread receiving([&] { on_second.block_on(receive_all_parcels(through, seen)); });
        on_first.block_on(send_all_parcels(through, Senders, count));
        receiving.join();
      });
}

constexpr row rows[] = {
    {"coppice/channel_uncontended", 1, &uncontended<&send_to_itself>},
    {"coppice/channel_uncontended_try", 1, &uncontended<&try_to_itself>},
    {"coppice/channel_1_to_1", 1, &together<1, 1>},
    {"coppice/channel_1_to_1", 2, &together<1, 1>},
    {"coppice/channel_4_to_1", 2, &together<4, 1>},
    {"coppice/channel_1_to_4", 2, &together<1, 4>},
    {"coppice/channel_4_to_4", 1, &together<4, 4>},
    {"coppice/channel_4_to_4", 2, &together<4, 4>},
    {"coppice/channel_1_to_1_apart", 2, &apart<1, 1>},
    {"coppice/channel_4_to_4_apart", 2, &apart<4, 4>},
    {"coppice/rendezvous_1_to_1", 1, &together<1, 1, 0>},
    {"coppice/rendezvous_1_to_1", 2, &together<1, 1, 0>},
    {"coppice/latency_1_to_1", 2, &latency_together<1, 1>},
    {"coppice/latency_4_to_1", 2, &latency_together<4, 1>},
    {"coppice/latency_1_to_4", 2, &latency_together<1, 4>},
    {"coppice/latency_4_to_4", 2, &latency_together<4, 4>},
    {"coppice/latency_1_to_1_apart", 2, &latency_apart<1, 1>},
};

}  // namespace

std::span<const row> channel_rows() noexcept {
  return rows;
}

}  // namespace bench::waiting_suite
