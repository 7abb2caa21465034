#include "../math/logistic_mixture.h"

#include "../loops/planes_cpu.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_logistic_mixture(CpuKernels& k) {
  fill(k, Task::grey_logistic_mixture, planes_loop<GreyLogistic, float>,
       planes_loop<GreyLogistic, double>);
  fill(k, Task::colour_logistic_mixture, planes_loop<ColourLogistic, float>,
       planes_loop<ColourLogistic, double>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
