#include "../math/rank1.h"

#include "../loops/summary.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_rank1(CpuKernels& k) {
  using F = Rank1GaussianRsampleKl;
  fill(k, Task::rank1_gaussian_rsample_kl, summary_rows<F, float, false>,
       summary_rows<F, double, false>);
  fill(k, Task::rank1_gaussian_rsample_kl_backward, summary_rows<F, float, true>,
       summary_rows<F, double, true>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
