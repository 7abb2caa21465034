#include "../math/continuous_bernoulli.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_continuous_bernoulli(CudaKernels& k) {
  fill<ContinuousBernoulliLogProb, Limit::arithmetic>(k, Kernel::continuous_bernoulli_log_prob);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
