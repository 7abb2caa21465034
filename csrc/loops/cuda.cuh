// The CUDA loops: map and sum a row; sum columns over rows. They know no density and no torch.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/place.h"
#include "cuda/team.cuh"
