#include "../math/negative_binomial.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_zero_inflated(CudaKernels& k) {
  fill<ZeroInflatedNegativeBinomialLogProb<false>, Limit::arithmetic>(
      k, Kernel::zero_inflated_negative_binomial_log_prob);
  fill<ZeroInflatedNegativeBinomialLogProb<true>, Limit::arithmetic>(
      k, Kernel::zero_inflated_negative_binomial_log_prob_of_data);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
