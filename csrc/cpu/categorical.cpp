#include "../math/categorical.h"

#include "../loops/classes_cpu.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_categorical(CpuKernels& k) {
  fill(k, Task::categorical_log_prob, class_rows<Categorical, float>,
       class_rows<Categorical, double>);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
