#pragma once
#include "impl/tiles.h"
