#include "../loops/cuda/sums.cuh"

#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_sums(CudaKernels& k) {
  k.sum_groups = sum_groups;
  k.sum_splits = sum_splits;
  k.scale_rows = scale_rows;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
