#include "../math/categorical.h"

#include "../loops/cuda/classes.cuh"
#include "../task.h"

PYVAE_CUDA_TASK(categorical_log_prob, ClassRows, class_task<Categorical, float>,
                class_task<Categorical, double>)
