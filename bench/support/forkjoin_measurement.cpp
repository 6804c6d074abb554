// Starting the child process that measures, and hearing from it.
#include "bench/support/forkjoin_measurement.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "bench/support/peak_rss.h"

namespace bench {
namespace {

// Far more than any solution takes: a child that is still there waits for something.
constexpr unsigned longest_s = 300;

// What a child writes into the pipe: less than PIPE_BUF, so all at once or not at all.
struct report {
  measurement result;
  char failure[512];  // Empty if there is a result.
};

double cpu_seconds() noexcept {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

measurement measure_here(const contender& system, unsigned threads, problem one) {
  const std::unique_ptr<fork_join> library = system.start(threads);
  solve_seconds(*library, warm_up(one));
  const double cpu_before = cpu_seconds();
  const double seconds = solve_seconds(*library, one);
  return {seconds, (cpu_seconds() - cpu_before) / seconds, peak_rss_kib()};
}

[[noreturn]] void be_the_child(int pipe, const contender& system, unsigned threads, problem one) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(longest_s);
  report answer = {};
  try {
    answer.result = measure_here(system, threads, one);
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

measurement measure(const contender& system, unsigned threads, problem one) {
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
    be_the_child(write_end.number(), system, threads, one);
  }
  child_process child(id);
  write_end.shut();

  report answer = {};
  const ssize_t got = read(read_end.number(), &answer, sizeof answer);
  if (got < 0 && errno == EINTR) {
    throw interrupted();
  }
  const int status = child.wait();
  const std::string what = name(one) + " on " + std::string(system.name) + ": ";
  if (got != sizeof answer) {
    throw std::runtime_error(what + (WIFSIGNALED(status)
                                         ? std::string("died of ") + strsignal(WTERMSIG(status))
                                         : std::string("ended without a result")));
  }
  if (answer.failure[0] != '\0') {
    throw std::runtime_error(what + answer.failure);
  }
  return answer.result;
}

unsigned usable_processors() noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return 1;
  }
  return static_cast<unsigned>(std::max(CPU_COUNT(&allowed), 1));
}

}  // namespace bench
