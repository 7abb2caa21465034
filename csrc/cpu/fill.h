// How a file of kernels enters the table of its instruction set: one function for each file.
#pragma once

#include "../loops/cpu.h"
#include "kernels.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian(CpuKernels& k);
void fill_bernoulli(CpuKernels& k);
void fill_rank1(CpuKernels& k);
void fill_continuous_bernoulli(CpuKernels& k);
void fill_laplace(CpuKernels& k);
void fill_discretized_logistic(CpuKernels& k);
void fill_poisson(CpuKernels& k);
void fill_negative_binomial(CpuKernels& k);
void fill_logistic_mixture(CpuKernels& k);
void fill_gaussian_mixture(CpuKernels& k);
void fill_mmd(CpuKernels& k);
void fill_categorical(CpuKernels& k);

template <class F, class T>
void fill_loops(RowsFn (&loop)[static_cast<int>(Mode::count)]) {
  loop[static_cast<int>(Mode::value)] = rows_loop<F, T, Mode::value>;
  // A sample's gradient needs an incoming one, so it has no value and gradient in one pass.
  if constexpr (!F::kNoise) {
    loop[static_cast<int>(Mode::value_grad)] = rows_loop<F, T, Mode::value_grad>;
    loop[static_cast<int>(Mode::columns_value)] = columns_loop<F, T, true>;
  }
  loop[static_cast<int>(Mode::grad)] = rows_loop<F, T, Mode::grad>;
  loop[static_cast<int>(Mode::row_sums)] = rows_loop<F, T, Mode::row_sums>;
  loop[static_cast<int>(Mode::columns)] = columns_loop<F, T, false>;
}
// The row loops of density F.
template <class F>
void fill(CpuKernels& k, Kernel kernel) {
  fill_loops<F, float>(k.loop[static_cast<int>(kernel)][0]);
  fill_loops<F, double>(k.loop[static_cast<int>(kernel)][1]);
}
// A loop of its own kind.
inline void fill(CpuKernels& k, Task task, TaskFn in_float, TaskFn in_double) {
  k.task[static_cast<int>(task)][0] = in_float;
  k.task[static_cast<int>(task)][1] = in_double;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
