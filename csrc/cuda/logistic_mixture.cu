#include "../math/logistic_mixture.h"

#include "../loops/cuda/planes.cuh"
#include "../task.h"

PYVAE_CUDA_TASK(grey_logistic_mixture, Planes, planes_task<GreyLogistic, float>,
                planes_task<GreyLogistic, double>)
PYVAE_CUDA_TASK(colour_logistic_mixture, Planes, planes_task<ColourLogistic, float>,
                planes_task<ColourLogistic, double>)
