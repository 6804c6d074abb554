// Google Benchmark's arguments: ours as defaults, then the caller's.
#pragma once

#include <string>
#include <vector>

namespace bench {

class arguments {
 public:
  // So many repetitions, in random order, unless --quick, which is ours and means one.
  arguments(int argc, char** argv, unsigned repetitions);

  // Hands them to Google Benchmark. False if it did not know one of them, which a line on stderr says.
  bool initialize();

  bool quick() const noexcept { return quick_; }
  // Are the results to go to a file, as JSON?
  bool writes_json() const noexcept { return to_file_ && as_json_; }

  // 0 if the caller chose them.
  unsigned repetitions() const noexcept { return ours_only_ ? repetitions_ : 0; }

 private:
  bool quick_ = false;
  bool ours_only_ = true;
  bool to_file_ = false;
  bool as_json_ = true;
  unsigned repetitions_;
  std::vector<std::string> texts_;
};

}  // namespace bench
