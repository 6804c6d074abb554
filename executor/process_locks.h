// The locks of what all executors of a process share, and fork(), which they outlive.
//
// fork() copies a lock that another thread holds, and the child, which lacks that thread, would wait
// for it for ever. So fork() takes all of these first, and both processes find them free.
#pragma once

#include <cstdint>
#include <mutex>

namespace coppice::inline v0::detail {

// In the order in which fork() takes them; nobody else takes two at once.
enum class process_lock : std::uint8_t {
  signals,
  executors,
  slots,
  frames,
  foreign_frames,
  complaints
};

// Never destroyed: handles and frames may outlive every static object.
std::mutex& mutex_of(process_lock which) noexcept;

// Another number in the child of a fork(), once this has been called in the parent.
std::uint64_t process_generation() noexcept;

}  // namespace coppice::inline v0::detail
