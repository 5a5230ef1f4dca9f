// Included before every CUDA C++ source that is interpreted on the CPU.
#pragma once
<<<<<<< HEAD
#include "impl/half.h"
#include "impl/host.h"
=======
#include "half.h"
#include "host.h"
#include "tiles.h"
>>>>>>> wild
