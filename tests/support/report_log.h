// Keeps what an error handler is told.
#pragma once

#include <coppice/report.h>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace coppice::testing_support {

// Outlives the executors that report to it.
class report_log {
 public:
  report_log() = default;
  report_log(const report_log&) = delete;
  report_log& operator=(const report_log&) = delete;

  error_handler handler() {
    return [this](const error_report& report) {
      const std::lock_guard lock(mutex_);
      reports_.push_back(report);
    };
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return reports_.size();
  }

  // In order of arrival; the log is empty then.
  std::vector<error_report> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(reports_, {});
  }

  // The texts of the failures, sorted.
  std::vector<std::string> messages() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> texts;
    for (const error_report& each : reports_) {
      texts.push_back(each.entry.message());
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<error_report> reports_;
};

}  // namespace coppice::testing_support
