// How much memory the process has had at most.
#pragma once

namespace bench {

// In KiB, of this process image alone: getrusage would also count what stood in the process before
// it was replaced by exec, a Python interpreter for example.
long peak_rss_kib() noexcept;

}  // namespace bench
