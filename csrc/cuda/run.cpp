// CUDA as a backend: the current stream of the current device. Plain C++ against what torch says of
// any device, so that it links with a torch without CUDA.
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "../ops/backend.h"
#include "kernels.h"

namespace pyvae::cuda {
namespace {

void* current_stream() {
#if defined(PYVAE_EXECUTOR)
  return nullptr;  // the kernels run on the host (tests/cuda/executor)
#endif
  const c10::impl::VirtualGuardImpl device(c10::DeviceType::CUDA);
  return device.getStream(device.getDevice()).native_handle();
}

void run(Kernel kernel, bool is_double, Mode mode, const Rows& rows) {
  if (rows.rows == 0 || rows.cols == 0) return;
  cuda_kernels().loop[static_cast<int>(kernel)][is_double][static_cast<int>(mode)](
      rows, current_stream());
}

void run_task(Task task, bool is_double, const void* arguments, int64_t items, int64_t) {
  if (items)
    cuda_kernels().task[static_cast<int>(task)][is_double](arguments, items, current_stream());
}

void sum_groups(const double* partial, int64_t count, int64_t group, bool is_double, void* out) {
  cuda_kernels().sum_groups(partial, count, group, is_double, out, current_stream());
}

void sum_splits(const double* partial, int64_t splits, int64_t count, double* out) {
  cuda_kernels().sum_splits(partial, splits, count, out, current_stream());
}

// As many parts as it takes to have some 500 blocks of 128 columns, of 64 rows at least; the same
// on every device.
int64_t splits(int64_t columns, int64_t summed) {
  const int64_t blocks = (columns + 127) / 128;
  return std::max<int64_t>(1, std::min(512 / blocks, (summed + 63) / 64));
}

void scale_rows(void* data, bool is_double, int64_t rows, int64_t cols, const View& weight,
                double folded) {
  cuda_kernels().scale_rows(data, is_double, rows, cols, weight, folded, current_stream());
}

const Backend kBackend{.run = run,
                       .run_task = run_task,
                       .sum_groups = sum_groups,
                       .sum_splits = sum_splits,
                       .scatter_rows = nullptr,
                       .columns_write_full = true,
                       .on_host = false,
                       .splits = splits,
                       .scale_rows = scale_rows,
                       .teams = true};
const bool registered = (set_backend(c10::DeviceType::CUDA, &kBackend), true);

}  // namespace
}  // namespace pyvae::cuda
