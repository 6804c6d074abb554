// Operations of one's own, awaitable and cancellable: a pipe that epoll watches, and a library that calls back.
#include <coppice/awaiter.h>
#include <coppice/coppice.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace co = coppice;
using namespace std::chrono_literals;

int checked(int result, const char* call) {
  if (result < 0) {
    throw std::system_error(errno, std::generic_category(), call);
  }
  return result;
}

// ---- A reactor: one thread waits for many files -------------------------------------------------

class reactor {
 public:
  reactor() : thread_([this] { watch_all(); }) { change(EPOLL_CTL_ADD, ending_, EPOLLIN); }
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;
  ~reactor() {
    eventfd_write(ending_, 1);
    thread_.join();
    close(ending_);
    close(epoll_);
  }

  // Completes it when there is something to read. One at a time for each file.
  void watch(int file, co::completion<> done) {
    const std::lock_guard lock(mutex_);
    change(EPOLL_CTL_ADD, file, EPOLLIN);
    watched_.emplace(file, std::move(done));
  }

  // Watches it no more. Gives the completion back; an empty one, if it is too late.
  co::completion<> forget(int file) noexcept {
    const std::lock_guard lock(mutex_);
    auto found = watched_.extract(file);
    if (found.empty()) {
      return {};
    }
    epoll_ctl(epoll_, EPOLL_CTL_DEL, file, nullptr);
    return std::move(found.mapped());
  }

 private:
  void change(int how, int file, unsigned events) {
    epoll_event wanted{.events = events, .data = {.fd = file}};
    checked(epoll_ctl(epoll_, how, file, &wanted), "epoll_ctl");
  }

  void watch_all() {
    for (;;) {
      epoll_event seen{};
      if (epoll_wait(epoll_, &seen, 1, -1) == 1) {
        if (seen.data.fd == ending_) {
          return;
        }
        forget(seen.data.fd).complete();  // Not under the lock: who is let go may come back for it.
      }
    }
  }

  const int epoll_ = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  const int ending_ = checked(eventfd(0, EFD_CLOEXEC), "eventfd");
  std::mutex mutex_;
  std::map<int, co::completion<>> watched_;
  std::thread thread_;
};

// What a task awaits: begun by start(), and asked by cancel() to end.
class readable {
 public:
  using value_type = void;

  readable(reactor& by, int file) : by_(by), file_(file) {}

  void start(co::completion<> done) { by_.watch(file_, std::move(done)); }
  void cancel() noexcept { by_.forget(file_).stopped(); }

 private:
  reactor& by_;
  int file_;
};

class pipe_end {
 public:
  pipe_end(reactor& by, int file) : by_(by), file_(file) {}

  co::task<std::string> read_line() {
    std::size_t end = 0;
    while ((end = read_.find('\n')) == std::string::npos) {
      co_await co::perform(readable(by_, file_));
      std::array<char, 100> bytes{};
      const auto size = checked(static_cast<int>(read(file_, bytes.data(), bytes.size())), "read");
      if (size == 0) {
        throw std::runtime_error("the pipe has been closed");
      }
      read_.append(bytes.data(), static_cast<std::size_t>(size));
    }
    std::string line = read_.substr(0, end);
    read_.erase(0, end + 1);
    co_return line;
  }

 private:
  reactor& by_;
  const int file_;
  std::string read_;
};

// ---- A library that calls back, from a thread of its own ----------------------------------------

class oracle {
 public:
  using callback = void (*)(void* user, int answer);

  oracle() : thread_([this] { answer_all(); }) {}
  oracle(const oracle&) = delete;
  oracle& operator=(const oracle&) = delete;
  ~oracle() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  // The callback is called once, with the question's square; for a negative question in a hundred years.
  int ask(int question, callback call, void* user) {
    const std::lock_guard lock(mutex_);
    open_.emplace(++last_, request{question, call, user});
    changed_.notify_one();
    return last_;
  }

  // False if it is being answered, or has been.
  bool withdraw(int which) noexcept {
    const std::lock_guard lock(mutex_);
    return open_.erase(which) != 0;
  }

  std::size_t open() {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  struct request {
    int question;
    callback call;
    void* user;
  };

  void answer_all() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      for (auto each = open_.begin(); each != open_.end();) {
        const request one = each->second;
        each = one.question < 0 ? std::next(each) : open_.erase(each);
        if (one.question >= 0) {
          lock.unlock();
          one.call(one.user, one.question * one.question);
          lock.lock();
          each = open_.begin();
        }
      }
      changed_.wait(lock);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, request> open_;
  int last_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

// It lives, unmoved, until it is completed: so its address may be what the library hands back.
class answer {
 public:
  using value_type = int;

  answer(oracle& of, int question) : of_(of), question_(question) {}

  void start(co::completion<int> done) {
    done_ = std::move(done);
    request_ = of_.ask(question_, &answer::given, this);
  }
  void cancel() noexcept {
    if (of_.withdraw(request_)) {
      done_.stopped();
    }
  }

 private:
  static void given(void* user, int value) {
    const co::completion<int> done = static_cast<answer*>(user)->done_;
    done.complete(value);
  }

  oracle& of_;
  int question_;
  int request_ = 0;
  co::completion<int> done_;
};

// ---- Tasks --------------------------------------------------------------------------------------

co::task<> listen(reactor& by) {
  std::array<int, 2> ends{};
  checked(pipe2(ends.data(), O_CLOEXEC), "pipe2");
  const auto write_line = [&](std::string line) {
    line += '\n';
    checked(static_cast<int>(write(ends[1], line.data(), line.size())), "write");
  };
  pipe_end from(by, ends[0]);
  write_line("one");
  std::cout << "heard: " << co_await from.read_line() << '\n';
  const auto late = co_await co::move_on_after(5ms, from.read_line());
  std::cout << "heard: " << late.value_or("nothing for 5 ms") << '\n';
  write_line("two");
  std::cout << "heard: " << co_await from.read_line() << '\n';
  close(ends[0]);
  close(ends[1]);
}

co::task<> consult(oracle& wise) {
  std::cout << "7 squared is " << co_await co::perform(answer(wise, 7)) << '\n';
  const auto ask_long = co_await co::move_on_after(5ms, co::perform(answer(wise, -1)));
  std::cout << "answered in 5 ms: " << std::boolalpha << ask_long.has_value() << '\n';
  std::cout << "still asked: " << wise.open() << '\n';
}

int main() {
  return co::run([]() -> co::task<> {
    reactor files;
    oracle wise;
    co_await listen(files);
    co_await consult(wise);
  });
}
