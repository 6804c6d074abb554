// How a tree of coppice's groups and tasks comes to be.
#pragma once

#include <coppice/coppice.h>

#include "bench/fanout/tree.h"

namespace bench::fanout_suite {

// What leaves may wait for. Nobody lets them go.
struct never {
  coppice::event event;
  coppice::channel<int> channel;
};

using leaf_task = task<> (*)(crowd& all, std::size_t which, never& common);

leaf_task leaf_of(source kind) noexcept;

struct planting {
  const tree& groups;
  crowd& all;
  never& common;
  leaf_task leaf;
  layout frames;
  // The leaves of a group are what one task gathers; else each is spawned, and has a handle.
  bool gathered;

  // Into the outermost group. The caller is its body, and does not await anything in it.
  void fill(task_group& root) const;
};

}  // namespace bench::fanout_suite
