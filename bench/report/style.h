// How the page looks, in light and in dark.
#pragma once

namespace bench::report {

extern const char* const style_sheet;

}  // namespace bench::report
