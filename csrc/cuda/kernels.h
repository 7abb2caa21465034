// Every kernel of CUDA, by density and compute type. The functions launch on the stream they are
// given (a cudaStream_t) and on the current device, and throw std::runtime_error where the runtime
// refuses.
#pragma once

#include "../loops/rows.h"
#include "../ops/kernel.h"

namespace pyvae {

using CudaRowsFn = void (*)(const Rows&, void* stream);
using CudaTaskFn = void (*)(const void* arguments, int64_t items, void* stream);

struct CudaKernels {
  CudaRowsFn loop[static_cast<int>(Kernel::count)][2][static_cast<int>(Mode::count)];
  CudaTaskFn task[static_cast<int>(Task::count)][2];

  // As in ops/backend.h.
  void (*sum_groups)(const double* partial, int64_t count, int64_t group, bool is_double, void* out,
                     void* stream);
  void (*sum_splits)(const double* partial, int64_t splits, int64_t count, double* out,
                     void* stream);
  void (*scale_rows)(void* data, bool is_double, int64_t rows, int64_t cols, const View& weight,
                     double folded, void* stream);
};

const CudaKernels& cuda_kernels();

}  // namespace pyvae
