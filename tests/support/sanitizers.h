// Which sanitizer watches this build, for tests of what one does not let happen.
#pragma once

namespace coppice::testing_support {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool under_thread_sanitizer = true;
inline constexpr bool under_address_sanitizer = false;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr bool under_thread_sanitizer = false;
inline constexpr bool under_address_sanitizer = true;
#elif defined(__has_feature)
inline constexpr bool under_thread_sanitizer = __has_feature(thread_sanitizer);
inline constexpr bool under_address_sanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool under_thread_sanitizer = false;
inline constexpr bool under_address_sanitizer = false;
#endif

}  // namespace coppice::testing_support
