#include "../math/discretized_logistic.h"

#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_discretized_logistic(CpuKernels& k) {
  fill<DiscretizedLogisticLogProb<true>>(k, Kernel::discretized_logistic_levels);
  fill<DiscretizedLogisticLogProb<false>>(k, Kernel::discretized_logistic_scaled);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
