// A fan-out that asks a service for no more than it allows: so many requests at once, and so many in a time. Whoever
// gives up on an answer takes no permit along.
#include <coppice/coppice.h>

#include <algorithm>
#include <iostream>
#include <vector>

namespace co = coppice;
using namespace std::chrono_literals;

class service {
 public:
  static constexpr std::size_t at_once = 3;
  static constexpr std::size_t burst = 4;
  static constexpr co::duration interval = 2ms;

  // Waits for a ticket, which is used up, and for a place, which is given back, wherever the task ends.
  co::task<int> ask(int question) {
    co::semaphore_permit ticket = co_await tickets_.acquire();
    ticket.forget();
    const co::semaphore_permit place = co_await places_.acquire();
    most_ = std::max(most_, ++now_);
    co_await co::sleep_for(1ms);
    --now_;
    co_return question* question;
  }

  // A ticket every interval, and no more than a burst of them in store.
  co::task<> sell_tickets() {
    for (;;) {
      co_await co::sleep_for(interval);
      if (tickets_.available() < burst) {
        tickets_.release();
      }
    }
  }

  std::size_t free_places() const { return places_.available(); }
  std::size_t most() const { return most_; }

 private:
  co::async_semaphore places_{at_once};
  co::async_semaphore tickets_{burst};
  std::size_t now_ = 0;  // One worker.
  std::size_t most_ = 0;
};

int main() {
  return co::run(
      []() -> co::task<> {
        service prices;
        const auto ask_all = [&](co::supervisor& jobs) -> co::task<> {
          jobs.spawn({.name = "tickets"}, prices.sell_tickets());
          const co::time_point begin = co::now();
          std::vector<co::task<int>> questions;
          for (int i = 1; i <= 12; ++i) {
            questions.push_back(prices.ask(i));
          }
          int sum = 0;
          const std::vector<int> answers = co_await co::gather(std::move(questions));
          for (const int answer : answers) {
            sum += answer;
          }
          std::cout << "12 answers, their sum is " << sum << '\n';
          std::cout << "asked at most " << prices.most() << " at once\n";
          std::cout << "took its time: " << std::boolalpha
                    << (co::now() - begin >= (12 - service::burst) * service::interval) << '\n';
          const auto impatient = co_await co::move_on_after(1us, prices.ask(13));
          std::cout << "the impatient one got an answer: " << impatient.has_value() << '\n';
          std::cout << "places free again: " << prices.free_places() << '\n';
          jobs.cancel();
        };
        co_await co::with_supervisor({.name = "prices"}, ask_all);
      },
      {.threads = 1});
}
