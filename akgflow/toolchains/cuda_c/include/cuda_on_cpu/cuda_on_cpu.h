// Included before every CUDA C++ source that is interpreted on the CPU.
#pragma once
#include "impl/half.h"
#include "impl/host.h"
