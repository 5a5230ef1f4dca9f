// Included before every CUDA C++ source that is interpreted on the CPU.
#pragma once
#include "half.h"
#include "host.h"
#include "tiles.h"
#ifdef CUDA_ON_CPU_WATCHED
#include "watched.h"
#endif
