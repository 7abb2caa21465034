#include "../math/gaussian.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian_sample(CudaKernels& k) {
  fill<GaussianRsample>(k, Kernel::gaussian_rsample);
  fill<GaussianRsampleKl>(k, Kernel::gaussian_rsample_kl);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
