// What the process writes to stderr, readable while it goes on writing.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace coppice::testing_support {

// One at a time.
class captured_stderr {
 public:
  captured_stderr() : before_(::dup(STDERR_FILENO)) {
    std::fflush(stderr);
    std::string name = "/tmp/coppice-stderr-XXXXXX";
    file_ = ::mkstemp(name.data());
    ::unlink(name.c_str());
    ::dup2(file_, STDERR_FILENO);
  }

  captured_stderr(const captured_stderr&) = delete;
  captured_stderr& operator=(const captured_stderr&) = delete;

  ~captured_stderr() {
    std::fflush(stderr);
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(file_);
  }

  std::string text() const {
    std::string all;
    char part[4096];
    ::ssize_t n = 0;
    while ((n = ::pread(file_, part, sizeof(part), static_cast<::off_t>(all.size()))) > 0) {
      all.append(part, static_cast<std::size_t>(n));
    }
    return all;
  }

  // Returns when it has been written; a test that waits in vain runs into its time limit.
  void wait_for(std::string_view wanted) const {
    while (text().find(wanted) == std::string::npos) {
      std::this_thread::yield();
    }
  }

 private:
  int before_;
  int file_;
};

}  // namespace coppice::testing_support
