// The CUDA loops: map and sum a row; sum columns over rows (the gradient of a broadcast operand).
// They know no density and no torch.
#pragma once

#include "cuda/columns.cuh"
#include "cuda/launch.cuh"
#include "cuda/place.h"
#include "cuda/rows.cuh"
#include "cuda/team.cuh"
