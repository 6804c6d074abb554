// What almost every test of the tree includes, compiled once.
#pragma once

#include <coppice/coppice.h>
#include <coppice/testing.h>

#include "tests/support/precompiled.h"
