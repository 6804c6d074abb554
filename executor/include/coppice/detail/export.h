// The mark of a symbol that the library shows to the programs linked with it.
#pragma once

// The library is built with hidden visibility. Stands on every public function that lies in a
// source file, on whole classes that are thrown, and on what inline functions of public headers
// refer to.
#define COPPICE_EXPORT __attribute__((visibility("default")))
