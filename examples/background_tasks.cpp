// Fire and forget, and still hear of every error: the runtime keeps what was spawned.
#include <coppice/coppice.h>

#include <atomic>
#include <iostream>
#include <map>
#include <string>

namespace co = coppice;
using namespace std::chrono_literals;

const std::map<std::string, int> settings{{"timeout", 30}};

co::task<> clean_up_caches() {
  const int timeout = settings.at("tiemout");  // Nobody will ever look at this task's handle.
  co_await co::sleep_for(timeout * 1s);
}

co::task<> watch_the_disk() {
  while (true) {
    co_await co::sleep_for(1h);
  }
}

int main() {
  std::atomic<bool> told = false;
  co::task_handle<> watch;
  const int status = co::run([&]() -> co::task<> {
    co::set_error_handler([&](const co::error_report& report) {
      std::cout << report.entry.name() << " failed: " << report.entry.message() << '\n';
      told = true;
    });
    co::spawn({.name = "clean up"}, clean_up_caches);
    watch = co::spawn({.name = "watch"}, watch_the_disk);

    while (!told) {
      co_await co::sleep_for(1ms);  // The program's own work.
    }
    for (const co::task_info& task : co::all_tasks()) {
      if (task.task == watch) {
        std::cout << task.name << " is still there\n";
      }
    }
  });
  std::cout << watch.name() << " was " << to_string(watch.status()) << " when main returned\n";
  return status;
}
