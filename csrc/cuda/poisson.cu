#include "../math/poisson.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_poisson(CudaKernels& k) {
  fill<PoissonLogProb<false>, Limit::arithmetic>(k, Kernel::poisson_log_prob);
  fill<PoissonLogProb<true>, Limit::arithmetic>(k, Kernel::poisson_log_prob_of_data);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
