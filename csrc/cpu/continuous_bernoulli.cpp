#include "../math/continuous_bernoulli.h"

#include "../loops/special.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_continuous_bernoulli(CpuKernels& k) {
  fill<ContinuousBernoulliLogProb>(k, Kernel::continuous_bernoulli_log_prob);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
