// Uses coppice with Abseil: a task that is late is a status.
#include <coppice/absl.h>
#include <coppice/runtime.h>

int main() {
  coppice::runtime runtime;
  return runtime.block_on([]() -> coppice::task<int> {
    const absl::Status late = co_await coppice::as_status(
        coppice::with_timeout(absl::Milliseconds(1), coppice::sleep_for(absl::Hours(1))));
    co_return absl::IsDeadlineExceeded(late) ? 0 : 1;
  });
}
