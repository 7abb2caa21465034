#include "../math/gaussian_mixture.h"

#include "../loops/cuda/pairs_tasks.cuh"
#include "../task.h"

#define PYVAE_MIXTURE_TASK(name, task, ...)                                                        \
  PYVAE_CUDA_TASK(name, Mixture, task<GaussianMixture, float __VA_ARGS__>,                         \
                  task<GaussianMixture, double __VA_ARGS__>)

PYVAE_MIXTURE_TASK(mixture_value, mixture_points_task, , false)
PYVAE_MIXTURE_TASK(mixture_points, mixture_points_task, , true)
PYVAE_MIXTURE_TASK(mixture_components, mixture_components_task)
PYVAE_MIXTURE_TASK(mixture_log_weights, mixture_log_weights_task)
