// The densities in the CPU loops, compiled once for each instruction set.
#include "kernels.h"

#include "../loops/cpu.h"
#include "../math/bernoulli.h"
#include "../math/gaussian.h"

namespace pyvae {
namespace {

template <class F, class T>
void fill(RowsFn (&loop)[static_cast<int>(Mode::count)]) {
  loop[static_cast<int>(Mode::value)] = rows_loop<F, T, Mode::value>;
  // A sample's gradient needs an incoming one, so it has no value and gradient in one pass.
  loop[static_cast<int>(Mode::value_grad)] = nullptr;
  if constexpr (!F::kNoise)
    loop[static_cast<int>(Mode::value_grad)] = rows_loop<F, T, Mode::value_grad>;
  loop[static_cast<int>(Mode::grad)] = rows_loop<F, T, Mode::grad>;
  loop[static_cast<int>(Mode::row_sums)] = rows_loop<F, T, Mode::row_sums>;
  loop[static_cast<int>(Mode::columns)] = columns_loop<F, T>;
}
template <class F>
void fill(CpuKernels& k, Kernel kernel) {
  fill<F, float>(k.loop[static_cast<int>(kernel)][0]);
  fill<F, double>(k.loop[static_cast<int>(kernel)][1]);
}

CpuKernels make(const char* name) {
  CpuKernels k;
  k.name = name;
  k.segment[0] = kSegment<float>;
  k.segment[1] = kSegment<double>;
  k.group = kMaxGroup;
  fill<GaussianLogProb>(k, Kernel::gaussian_log_prob);
  fill<BernoulliLogProb>(k, Kernel::bernoulli_log_prob);
  fill<GaussianKlStandard>(k, Kernel::gaussian_kl_standard);
  fill<GaussianKl>(k, Kernel::gaussian_kl);
  fill<GaussianRsample>(k, Kernel::gaussian_rsample);
  fill<GaussianRsampleKl>(k, Kernel::gaussian_rsample_kl);
  fill<GaussianLogRatioStandard<false>>(k, Kernel::gaussian_log_ratio_standard);
  fill<GaussianLogRatioStandard<true>>(k, Kernel::gaussian_log_ratio_standard_path);
  fill<GaussianLogRatio<false>>(k, Kernel::gaussian_log_ratio);
  fill<GaussianLogRatio<true>>(k, Kernel::gaussian_log_ratio_path);
  return k;
}

}  // namespace

#define PYVAE_JOIN_(a, b) a##b
#define PYVAE_JOIN(a, b) PYVAE_JOIN_(a, b)
#define PYVAE_TEXT_(a) #a
#define PYVAE_TEXT(a) PYVAE_TEXT_(a)

const CpuKernels& PYVAE_JOIN(cpu_kernels_, PYVAE_ISA)() {
  static const CpuKernels kernels = make(PYVAE_TEXT(PYVAE_ISA));
  return kernels;
}

}  // namespace pyvae
