#include "../math/discretized_logistic.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_discretized_logistic(CudaKernels& k) {
  fill<DiscretizedLogisticLogProb<true>, Limit::arithmetic>(k, Kernel::discretized_logistic_levels);
  fill<DiscretizedLogisticLogProb<false>, Limit::arithmetic>(k,
                                                             Kernel::discretized_logistic_scaled);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
