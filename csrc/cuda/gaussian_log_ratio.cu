#include "../math/gaussian.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian_log_ratio(CudaKernels& k) {
  fill<GaussianLogRatio<false>>(k, Kernel::gaussian_log_ratio);
  fill<GaussianLogRatio<true>>(k, Kernel::gaussian_log_ratio_path);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
