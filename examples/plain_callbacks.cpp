// Plain code that may not wait spawns tasks, as the callbacks of a graphical interface do.
#include <coppice/coppice.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>

namespace co = coppice;
using namespace std::chrono_literals;

// The toolkit's loop: runs on one thread what any thread posts.
class event_loop {
 public:
  void post(std::function<void()> event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    posted_.notify_one();
  }

  void run_one() {
    std::unique_lock lock(mutex_);
    posted_.wait(lock, [&] { return !events_.empty(); });
    const auto event = std::move(events_.front());
    events_.pop_front();
    lock.unlock();
    event();
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> events_;
};

co::task<int> count_words(std::string file) {
  co_await co::sleep_for(5ms);
  if (file.empty()) {
    throw std::runtime_error("no such file");
  }
  co_return 1234;
}

int main() {
  event_loop loop;
  co::runtime rt;
  rt.set_error_handler([&](const co::error_report& report) {
    loop.post([text = report.entry.message()] { std::cout << "alert: " << text << '\n'; });
  });

  // Called by the toolkit: must return at once.
  const auto on_open = [&](const std::string& file) {
    const auto words = rt.spawn({.name = "count"}, count_words, file);
    words.on_done([&loop, words] {
      if (words.status() == co::task_status::completed) {
        loop.post([words] { std::cout << "label: " << words.result().get() << " words\n"; });
      }
    });
    std::cout << "counting ...\n";
  };
  on_open("letter.txt");
  loop.run_one();  // The label.

  on_open("");
  loop.run_one();  // The alert.

  rt.shutdown();  // The window is closed: what still runs is cancelled and awaited.
}
