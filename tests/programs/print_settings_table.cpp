// Prints the README's table of environment variables, for pasting between its markers.
#include <iostream>

#include "executor/settings_table.h"

int main() {
  std::cout << coppice::detail::settings_markdown_table();
}
