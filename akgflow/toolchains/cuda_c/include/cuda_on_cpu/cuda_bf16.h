#include "impl/half.h"
