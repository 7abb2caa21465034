#include "../math/logistic_mixture.h"

#include "../loops/cuda/planes.cuh"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_logistic_mixture(CudaKernels& k) {
  fill(k, Task::grey_logistic_mixture, planes_task<GreyLogistic, float>,
       planes_task<GreyLogistic, double>);
  fill(k, Task::colour_logistic_mixture, planes_task<ColourLogistic, float>,
       planes_task<ColourLogistic, double>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
