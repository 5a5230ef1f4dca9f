#pragma once
#include "tiles.h"
