#include "kernels.h"

#include "../loops/cuda/combine.cuh"
#include "../loops/cuda/scale.cuh"

namespace pyvae::cuda {

void combine(const Combine* passes, int count, void* stream) { run_combine(passes, count, stream); }
void scale_rows(void* data, bool is_double, int64_t rows, int64_t cols, const View& weight,
                double folded, void* stream) {
  run_scale_rows(data, is_double, rows, cols, weight, folded, stream);
}

}  // namespace pyvae::cuda
