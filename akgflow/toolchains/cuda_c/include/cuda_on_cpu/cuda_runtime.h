#include "impl/host.h"
