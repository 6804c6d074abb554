// The version of the library.
#include <coppice/version.h>

#include <coppice/error.h>

#include <string>

namespace coppice::inline v0 {

namespace {

std::string text(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

}  // namespace

const char* version() noexcept {
  static const std::string linked =
      text(COPPICE_VERSION_MAJOR, COPPICE_VERSION_MINOR, COPPICE_VERSION_PATCH);
  return linked.c_str();
}

void detail::require_version(int major, int minor, int patch) {
  if (major != COPPICE_VERSION_MAJOR || minor != COPPICE_VERSION_MINOR) {
    throw usage_error("the program was compiled with the headers of coppice " +
                      text(major, minor, patch) + " and linked with the library of " + version() +
                      "; rebuild it with one of them");
  }
}

}  // namespace coppice::inline v0
