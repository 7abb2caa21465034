// The kernels of CUDA that serve every density: on the stream that they are given (a cudaStream_t),
// and on the current device.
#pragma once

#include "../loops/rows.h"

// What the glue to torch takes from the library of kernels.
#pragma GCC visibility push(default)
namespace pyvae::cuda {

void combine(const Combine* passes, int count, void* stream);
// As in ops/backend.h.
void scale_rows(void* data, bool is_double, int64_t rows, int64_t cols, const View& weight,
                double folded, void* stream);

}  // namespace pyvae::cuda
#pragma GCC visibility pop
