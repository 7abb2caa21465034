#include "../math/gaussian.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian_log_ratio_standard(CudaKernels& k) {
  fill<GaussianLogRatioStandard<false>>(k, Kernel::gaussian_log_ratio_standard);
  fill<GaussianLogRatioStandard<true>>(k, Kernel::gaussian_log_ratio_standard_path);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
