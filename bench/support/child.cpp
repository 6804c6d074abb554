// Starting the child process that measures, and hearing from it.
#include "bench/support/child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace bench {
namespace {

// Far more than any measurement takes: a child that is still there waits for something.
constexpr unsigned longest_s = 300;

// What a child writes into the pipe: all at once or not at all.
struct report {
  alignas(std::max_align_t) std::byte result[most_result_bytes];
  char failure[512];  // Empty if there is a result.
};
static_assert(sizeof(report) <= PIPE_BUF);

[[noreturn]] void be_the_child(int pipe, const std::function<void(void*)>& body) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(longest_s);
  report answer = {};
  try {
    body(answer.result);
  } catch (const std::exception& failure) {
    std::snprintf(answer.failure, sizeof answer.failure, "%s", failure.what());
  } catch (...) {
    std::snprintf(answer.failure, sizeof answer.failure, "an exception of an unknown type");
  }
  const ssize_t written = write(pipe, &answer, sizeof answer);
  _exit(written == sizeof answer ? 0 : 1);
}

class child_process {
 public:
  explicit child_process(pid_t id) noexcept : id_(id) {}
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process() {
    if (id_ > 0) {
      kill(id_, SIGKILL);
      wait();
    }
  }

  // How it ended, as waitpid tells it.
  int wait() noexcept {
    int status = 0;
    while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = 0;
    return status;
  }

 private:
  pid_t id_;
};

class descriptor {
 public:
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() { shut(); }
  int number() const noexcept { return number_; }
  void shut() noexcept {
    if (number_ >= 0) {
      close(number_);
    }
    number_ = -1;
  }

 private:
  int number_;
};

}  // namespace

void run_in_child(const std::string& what, void* result, std::size_t bytes,
                  const std::function<void(void*)>& body) {
  int ends[2];
  if (pipe(ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  const descriptor read_end(ends[0]);
  descriptor write_end(ends[1]);
  std::fflush(nullptr);
  const pid_t id = fork();
  if (id < 0) {
    throw std::system_error(errno, std::generic_category(), "fork");
  }
  if (id == 0) {
    be_the_child(write_end.number(), body);
  }
  child_process child(id);
  write_end.shut();

  report answer = {};
  const ssize_t got = read(read_end.number(), &answer, sizeof answer);
  if (got < 0 && errno == EINTR) {
    throw interrupted();
  }
  const int status = child.wait();
  if (got != sizeof answer) {
    throw std::runtime_error(what + ": " +
                             (WIFSIGNALED(status)
                                  ? std::string("died of ") + strsignal(WTERMSIG(status))
                                  : std::string("ended without a result")));
  }
  if (answer.failure[0] != '\0') {
    throw std::runtime_error(what + ": " + answer.failure);
  }
  std::memcpy(result, answer.result, bytes);
}

}  // namespace bench
