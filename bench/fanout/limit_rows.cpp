// What would a cancel cost that had nothing to find, ask, count or tell?
#include "bench/support/limit.h"

#include "bench/fanout/row.h"
#include "bench/fanout/scene.h"

namespace bench::fanout_suite {
namespace {

numbers measure(const scene& at, const setting& how) {
  runtime on(options_for(how, at.workers));
  crowd all(at.leaves);
  return observed_and_joined(repeat(at, how, all, [&] { return resume_all(on, all, at.frames); }));
}

constexpr contender one = contender::limit1;
constexpr contender two = contender::limit2;

constexpr scene scenes[] = {
    {.system = one, .leaves = 1'000},
    {.system = two, .leaves = 1'000},
    {.system = one, .leaves = 10'000},
    {.system = two, .leaves = 10'000},
    {.system = one, .leaves = 100'000},
    {.system = two, .leaves = 100'000},
    {.system = one, .leaves = 1'000'000},
    {.system = two, .leaves = 1'000'000},
    {.system = one, .leaves = 10'000, .frames = layout::scattered},
    {.system = two, .leaves = 10'000, .frames = layout::scattered},
    {.system = one, .leaves = 100'000, .frames = layout::scattered},
    {.system = two, .leaves = 100'000, .frames = layout::scattered},
};

}  // namespace

std::span<const row> limit_rows() noexcept {
  return rows_of<scenes, &measure>;
}

}  // namespace bench::fanout_suite
