#include "../math/gaussian.h"

#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian(CpuKernels& k) {
  fill<GaussianLogProb>(k, Kernel::gaussian_log_prob);
  fill<GaussianKlStandard>(k, Kernel::gaussian_kl_standard);
  fill<GaussianKl>(k, Kernel::gaussian_kl);
  fill<GaussianRsample>(k, Kernel::gaussian_rsample);
  fill<GaussianRsampleKl>(k, Kernel::gaussian_rsample_kl);
  fill<GaussianLogRatioStandard<false>>(k, Kernel::gaussian_log_ratio_standard);
  fill<GaussianLogRatioStandard<true>>(k, Kernel::gaussian_log_ratio_standard_path);
  fill<GaussianLogRatio<false>>(k, Kernel::gaussian_log_ratio);
  fill<GaussianLogRatio<true>>(k, Kernel::gaussian_log_ratio_path);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
