#include <coppice/child_spec.h>

#include <utility>

namespace coppice::inline v0 {

child_spec::child_spec(std::string id, std::function<task<>(start_gate&)> start, source_site site)
    : terms_{std::move(id), std::move(start), nullptr, site} {}

child_spec::child_spec(std::string id, std::function<task<>()> start, source_site site)
    : terms_{std::move(id), nullptr, std::move(start), site} {}

child_spec& child_spec::restart(restart_type type) & noexcept {
  terms_.restart = type;
  return *this;
}
child_spec&& child_spec::restart(restart_type type) && noexcept {
  return std::move(restart(type));
}

child_spec& child_spec::shutdown(duration grace) & noexcept {
  terms_.shutdown = grace;
  return *this;
}
child_spec&& child_spec::shutdown(duration grace) && noexcept {
  return std::move(shutdown(grace));
}

child_spec& child_spec::type(child_type type) & noexcept {
  terms_.type = type;
  return *this;
}
child_spec&& child_spec::type(child_type of) && noexcept {
  return std::move(type(of));
}

child_spec& child_spec::significant(bool significant) & noexcept {
  terms_.significant = significant;
  return *this;
}
child_spec&& child_spec::significant(bool is) && noexcept {
  return std::move(significant(is));
}

child_spec& child_spec::backoff(backoff_policy policy) & noexcept {
  terms_.backoff = policy;
  return *this;
}
child_spec&& child_spec::backoff(backoff_policy policy) && noexcept {
  return std::move(backoff(policy));
}

namespace detail {

duration child_terms::grace() const noexcept {
  return shutdown.value_or(type == child_type::supervisor ? forever
                                                          : duration(std::chrono::seconds(5)));
}

}  // namespace detail
}  // namespace coppice::inline v0
