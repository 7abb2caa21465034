#include "../math/gaussian_mixture.h"

#include "../loops/cuda/pairs_tasks.cuh"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_gaussian_mixture(CudaKernels& k) {
  using M = GaussianMixture;
  fill(k, Task::mixture_value, mixture_points_task<M, float, false>,
       mixture_points_task<M, double, false>);
  fill(k, Task::mixture_points, mixture_points_task<M, float, true>,
       mixture_points_task<M, double, true>);
  fill(k, Task::mixture_components, mixture_components_task<M, float>,
       mixture_components_task<M, double>);
  fill(k, Task::mixture_log_weights, mixture_log_weights_task<M, float>,
       mixture_log_weights_task<M, double>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
