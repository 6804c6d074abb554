// A failure, and another in the cleanup of what it cancelled: both are shown, and which is which.
#include <coppice/coppice.h>

#include <functional>
#include <iostream>
#include <stdexcept>

namespace co = coppice;
using namespace std::chrono_literals;

class log_file {
 public:
  void write(const char*) {
    if (!open_) {
      throw std::runtime_error("write to a closed file");
    }
  }
  void close() { open_ = false; }

 private:
  bool open_ = true;
};

co::task<> recorder(co::start_gate& ready, log_file& log) {
  ready.started();
  co_await co::with_cleanup([]() -> co::task<> { co_await co::sleep_for(1h); },
                            [&] { log.write("recorder: end\n"); });
}

co::task<> microphone(log_file& log) {
  log.close();
  throw std::runtime_error("the microphone is gone");
  co_return;
}

int main() {
  return co::run([]() -> co::task<> {
    log_file log;
    try {
      co_await co::with_group({.name = "recording"}, [&](co::task_group& group) -> co::task<> {
        co_await group.start({.name = "recorder"}, recorder, std::ref(log));
        group.spawn({.name = "microphone"}, microphone, std::ref(log));
      });
    } catch (const co::exception_group& failures) {
      std::cout << failures.format();
    }
  });
}
