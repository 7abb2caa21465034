#include "../math/negative_binomial.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_negative_binomial(CudaKernels& k) {
  fill<NegativeBinomialLogProb<false>, Limit::arithmetic>(k, Kernel::negative_binomial_log_prob);
  fill<NegativeBinomialLogProb<true>, Limit::arithmetic>(
      k, Kernel::negative_binomial_log_prob_of_data);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
