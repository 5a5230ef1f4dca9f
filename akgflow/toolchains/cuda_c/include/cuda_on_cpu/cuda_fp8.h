#include "impl/fp8.h"
