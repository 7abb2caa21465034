#include "../math/poisson.h"

#include "../loops/special.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_poisson(CpuKernels& k) {
  fill<PoissonLogProb<false>>(k, Kernel::poisson_log_prob);
  fill<PoissonLogProb<true>>(k, Kernel::poisson_log_prob_of_data);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
