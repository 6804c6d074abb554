// What is measured at several sizes: each is what one thing out of `size` takes.
#pragma once

#include <coppice/runtime.h>

#include <cstddef>

namespace bench::supervision_suite {

double ns_to_open_and_close(coppice::runtime& on, std::size_t size);      // Scopes in one another.
double ns_to_spawn_and_join(coppice::runtime& on, std::size_t size);      // Children of a group.
double ns_to_suspend_and_resume(coppice::runtime& on, std::size_t size);  // Tasks of a group.
double ns_to_dump(coppice::runtime& on, std::size_t size);                // Tasks that sleep.
double bytes_of_sleepers(coppice::runtime& on, std::size_t size);

}  // namespace bench::supervision_suite
