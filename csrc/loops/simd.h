// SIMD vectors, and what is computed with them.
#pragma once

#include "simd/lanes.h"
#include "simd/math.h"
#include "simd/vector.h"
