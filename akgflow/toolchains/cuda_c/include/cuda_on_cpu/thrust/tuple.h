#include "../impl/std_types.h"
