#include "../math/rank1.h"

#include "../loops/cuda/summary.cuh"
#include "../task.h"

#define PYVAE_RANK1_TASK(name, gradient)                                                           \
  PYVAE_CUDA_TASK(name, Map, summary_task<Rank1GaussianRsampleKl, float, gradient>,                \
                  summary_task<Rank1GaussianRsampleKl, double, gradient>)

PYVAE_RANK1_TASK(rank1_gaussian_rsample_kl, false)
PYVAE_RANK1_TASK(rank1_gaussian_rsample_kl_backward, true)
