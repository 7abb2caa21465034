// How a file of kernels enters the table: one function for each file.
#pragma once

#include "kernels.h"

#ifndef PYVAE_ISA
#define PYVAE_ISA portable
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian(CudaKernels& k);
void fill_gaussian_sample(CudaKernels& k);
void fill_gaussian_log_ratio(CudaKernels& k);
void fill_gaussian_log_ratio_standard(CudaKernels& k);
void fill_bernoulli(CudaKernels& k);
void fill_rank1(CudaKernels& k);
void fill_continuous_bernoulli(CudaKernels& k);
void fill_laplace(CudaKernels& k);
void fill_discretized_logistic(CudaKernels& k);
void fill_poisson(CudaKernels& k);
void fill_negative_binomial(CudaKernels& k);
void fill_zero_inflated(CudaKernels& k);
void fill_logistic_mixture(CudaKernels& k);
void fill_gaussian_mixture(CudaKernels& k);
void fill_mmd(CudaKernels& k);
void fill_categorical(CudaKernels& k);
void fill_sums(CudaKernels& k);

// A loop of its own kind.
inline void fill(CudaKernels& k, Task task, CudaTaskFn in_float, CudaTaskFn in_double) {
  k.task[static_cast<int>(task)][0] = in_float;
  k.task[static_cast<int>(task)][1] = in_double;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
