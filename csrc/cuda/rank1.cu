#include "../math/rank1.h"

#include "../loops/cuda/summary.cuh"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_rank1(CudaKernels& k) {
  using F = Rank1GaussianRsampleKl;
  fill(k, Task::rank1_gaussian_rsample_kl, summary_task<F, float, false>,
       summary_task<F, double, false>);
  fill(k, Task::rank1_gaussian_rsample_kl_backward, summary_task<F, float, true>,
       summary_task<F, double, true>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
