#include "../math/gaussian_mixture.h"

#include "../loops/pairs_components.h"
#include "../loops/pairs_few.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian_mixture(CpuKernels& k) {
  using M = GaussianMixture;
  fill(k, Task::mixture_value, mixture_points<M, float, false>, mixture_points<M, double, false>);
  fill(k, Task::mixture_points, mixture_points<M, float, true>, mixture_points<M, double, true>);
  fill(k, Task::mixture_components, mixture_components<M, float>, mixture_components<M, double>);
  fill(k, Task::mixture_log_weights, mixture_log_weights<M, float>, mixture_log_weights<M, double>);
  fill(k, Task::mixture_few_weights, mixture_few_weights<M, float>, mixture_few_weights<M, double>);
  fill(k, Task::mixture_few_pulls, mixture_few_pulls<M, float>, mixture_few_pulls<M, double>);
  fill(k, Task::mixture_few_points, mixture_few_points<M, float>, mixture_few_points<M, double>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
