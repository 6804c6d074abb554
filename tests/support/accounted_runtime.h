// A runtime that looks, at its end, whether all its tasks are accounted for.
#pragma once

#include <coppice/runtime.h>

#include "tests/support/accounting.h"

namespace coppice::testing_support {

class accounted_runtime : public runtime {
 public:
  explicit accounted_runtime(const options& from = {}, const detail::test_setup* setup = nullptr)
      : runtime(from, setup) {}

  ~accounted_runtime() {
    shutdown();
    expect_balanced(beneath());
  }

  using runtime::beneath;
};

}  // namespace coppice::testing_support
