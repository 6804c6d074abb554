// Tells who waits how far a bench has come.
#pragma once

#include <cstddef>
#include <string>

namespace bench {

// On a terminal one line of standard error that is written over; elsewhere a line a step. Zero steps
// stands for a number that nobody knows.
class progress {
 public:
  explicit progress(std::size_t steps) noexcept;
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  void step(const std::string& what);
  // Makes the line free for others to write.
  void clear() noexcept;

 private:
  std::size_t steps_;
  std::size_t done_ = 0;
  bool on_terminal_;
};

}  // namespace bench
