// Runs until a signal comes: for the test of what coppice::run does then. Writes a letter when its
// tasks run. "stubborn": does not stop when asked, and sends itself the second signal.
#include <coppice/coppice.h>

#include <unistd.h>
#include <csignal>
#include <cstring>

namespace {

struct on_exit_of_scope {
  int& status;
  ~on_exit_of_scope() { status = 0; }
};

bool say_ready() {
  return ::write(STDOUT_FILENO, "r", 1) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  const bool stubborn = argc > 1 && std::strcmp(argv[1], "stubborn") == 0;
  int without_destructor = 3;
  const int status = coppice::run([&]() -> coppice::task<int> {
    const on_exit_of_scope mark{without_destructor};
    if (!say_ready()) {
      co_return 4;
    }
    while (stubborn) {
      if (coppice::cancel_requested()) {
        ::kill(::getpid(), SIGINT);
      }
    }
    co_await coppice::sleep_for(coppice::forever);
    co_return 5;
  });
  return without_destructor != 0 ? without_destructor : status;
}
