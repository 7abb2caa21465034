#include "../math/gaussian_mixture.h"

#include "../loops/pairs_few.h"
#include "../task.h"

#define PYVAE_MIXTURE_TASK(name, loop, ...)                                                        \
  PYVAE_CPU_TASK(name, Mixture, loop<GaussianMixture, float __VA_ARGS__>,                          \
                 loop<GaussianMixture, double __VA_ARGS__>)

PYVAE_MIXTURE_TASK(mixture_value, mixture_points, , false)
PYVAE_MIXTURE_TASK(mixture_points, mixture_points, , true)
PYVAE_MIXTURE_TASK(mixture_components, mixture_components)
PYVAE_MIXTURE_TASK(mixture_log_weights, mixture_log_weights)
PYVAE_MIXTURE_TASK(mixture_few_weights, mixture_few_weights)
PYVAE_MIXTURE_TASK(mixture_few_pulls, mixture_few_pulls)
PYVAE_MIXTURE_TASK(mixture_few_points, mixture_few_points)
