#include "../math/gaussian.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian(CudaKernels& k) {
  fill<GaussianLogProb>(k, Kernel::gaussian_log_prob);
  fill<GaussianKlStandard>(k, Kernel::gaussian_kl_standard);
  fill<GaussianKl>(k, Kernel::gaussian_kl);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
