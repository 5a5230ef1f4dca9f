#pragma once
#include <math.h>
#define CUDART_INF_F INFINITY
#define CUDART_NAN_F NAN
#define CUDART_INF ((double)INFINITY)
#define CUDART_NAN ((double)NAN)
#define CUDART_PI_F 3.14159265358979323846f
#define CUDART_PI 3.14159265358979323846
