#include "../math/negative_binomial.h"

#include "../loops/special.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_negative_binomial(CpuKernels& k) {
  fill<NegativeBinomialLogProb<false>>(k, Kernel::negative_binomial_log_prob);
  fill<NegativeBinomialLogProb<true>>(k, Kernel::negative_binomial_log_prob_of_data);
  fill<ZeroInflatedNegativeBinomialLogProb<false>>(
      k, Kernel::zero_inflated_negative_binomial_log_prob);
  fill<ZeroInflatedNegativeBinomialLogProb<true>>(
      k, Kernel::zero_inflated_negative_binomial_log_prob_of_data);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
