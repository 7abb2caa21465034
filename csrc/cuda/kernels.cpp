#include "kernels.h"

#include "fill.h"

namespace pyvae {
namespace {

CudaKernels make() {
  CudaKernels k{};
  fill_gaussian(k);
  fill_gaussian_sample(k);
  fill_gaussian_log_ratio(k);
  fill_gaussian_log_ratio_standard(k);
  fill_bernoulli(k);
  fill_rank1(k);
  fill_continuous_bernoulli(k);
  fill_laplace(k);
  fill_discretized_logistic(k);
  fill_poisson(k);
  fill_negative_binomial(k);
  fill_zero_inflated(k);
  fill_logistic_mixture(k);
  fill_gaussian_mixture(k);
  fill_mmd(k);
  fill_categorical(k);
  fill_sums(k);
  return k;
}

}  // namespace

const CudaKernels& cuda_kernels() {
  static const CudaKernels kernels = make();
  return kernels;
}

}  // namespace pyvae
