// Runs a measurement in a process of its own.
//
// No thread or memory of another measurement is there, a crash is one that failed rather than the end of
// the bench, and so is one that hangs. The caller must not have started threads.
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace bench {

// A signal that the caller handles came while the child was at work.
class interrupted : public std::runtime_error {
 public:
  interrupted() : std::runtime_error("interrupted") {}
};

inline constexpr std::size_t most_result_bytes = 2048;

// `body` writes its result, of so many bytes, to where it is told.
void run_in_child(const std::string& what, void* result, std::size_t bytes,
                  const std::function<void(void*)>& body);

// What `body` gives in a child process. Throws std::runtime_error, with a sentence that begins with `what`,
// if it threw, or the child crashed; throws interrupted, once the child has been ended, if the caller had a
// signal. Pointers in the result to what is constant are good in the parent too.
template <class Result>
Result in_child(const std::string& what, const std::function<Result()>& body) {
  static_assert(std::is_trivially_copyable_v<Result> && sizeof(Result) <= most_result_bytes);
  Result result{};
  run_in_child(what, &result, sizeof result,
               [&body](void* to) { *static_cast<Result*>(to) = body(); });
  return result;
}

}  // namespace bench
