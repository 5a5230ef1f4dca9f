// Included before every CUDA C++ source that is interpreted on the CPU.
#pragma once
#include "half.h"
#include "host.h"
#include "tiles.h"
