#include "../math/categorical.h"

#include "../loops/cuda/classes.cuh"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_categorical(CudaKernels& k) {
  fill(k, Task::categorical_log_prob, class_task<Categorical, float>,
       class_task<Categorical, double>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
