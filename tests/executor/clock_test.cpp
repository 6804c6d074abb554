#include <coppice/clock.h>

#include <gtest/gtest.h>

#include <type_traits>

namespace coppice {
namespace {

using namespace std::chrono_literals;

TEST(Clock, IsSteady) {
  static_assert(clock::is_steady);
  static_assert(std::is_same_v<time_point, std::chrono::time_point<clock, duration>>);
}

TEST(Clock, WholeSpansConvertExactly) {
  constexpr duration span = 100ms;
  static_assert(span.count() == 100'000'000);
  static_assert(std::is_convertible_v<std::chrono::hours, duration>);
}

TEST(Clock, FloatingSpansMustBeRoundedByTheCaller) {
  static_assert(!std::is_convertible_v<std::chrono::duration<double>, duration>);
  static_assert(std::chrono::duration_cast<duration>(1.5us) == 1500ns);
}

TEST(Clock, ForeverIsLongerThanAnyOtherSpan) {
  static_assert(forever > 24h * 365 * 292);
  static_assert(forever == duration::max());
}

}  // namespace
}  // namespace coppice
