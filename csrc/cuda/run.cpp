// CUDA as a backend: the current stream of the current device. Plain C++ against what torch says of
// any device, so that it links with a torch without CUDA.
#include <c10/core/impl/VirtualGuardImpl.h>

#include "../ops/backend.h"
#include "kernels.h"

namespace pyvae::cuda {

#if defined(PYVAE_EXECUTOR)  // the kernels run on the host and lie in a library of their own
void* current_stream() { return nullptr; }
const CudaKernels* kernels_of(const DensityInfo& density);
const AnyTask& task_of(const AnyTask& task) { return *tasks::find(task.name); }
#else
namespace {
void* current_stream() {
  const c10::impl::VirtualGuardImpl device(c10::DeviceType::CUDA);
  return device.getStream(device.getDevice()).native_handle();
}
const CudaKernels* kernels_of(const DensityInfo& density) { return density.cuda; }
const AnyTask& task_of(const AnyTask& task) { return task; }
}  // namespace
#endif

namespace {

const CudaKernels& kernels(const Kernel& kernel) {
  return kernels_of(*kernel.density)[kernel.variant];
}

void map(const Kernel& kernel, const Map& pass) {
  if (pass.rows && pass.cols)
    kernels(kernel).map[kernel.is_double][static_cast<int>(pass.want)](pass, current_stream());
}
void reduce_columns(const Kernel& kernel, const ReduceColumns& pass) {
  if (pass.rows && pass.cols)
    kernels(kernel).reduce_columns[kernel.is_double][pass.values != nullptr](pass,
                                                                             current_stream());
}
int64_t segment(const Kernel& kernel) { return kernels(kernel).segment[kernel.is_double]; }
void reduce_rows(const Kernel& kernel, const ReduceRows& pass) {
  if (pass.rows && pass.cols) kernels(kernel).reduce_rows[kernel.is_double](pass, current_stream());
}
void run_combine(const Combine* passes, int count) { combine(passes, count, current_stream()); }

void run_task(const AnyTask& task, bool is_double, const void* arguments, int64_t items, int64_t) {
  if (items) task_of(task).on_cuda(is_double, arguments, items, current_stream());
}
void run_scale(const Scale& pass) {
  if (pass.rows && pass.count) scale(pass, current_stream());
}
void run_loss(const Loss& pass) { loss(pass, current_stream()); }

const Backend kBackend{.limits = {.host = false,
                                  .teams = true,
                                  .split_rows = 16,
                                  .split_columns = 128,
                                  .split_blocks = 512,
                                  .whole_rows = 256,
                                  .whole_columns = 4 * kChunk},
                       .map = map,
                       .reduce_columns = reduce_columns,
                       .reduce_rows = reduce_rows,
                       .combine = run_combine,
                       .segment = segment,
                       .run_task = run_task,
                       .scale = run_scale,
                       .loss = run_loss};
const bool registered = (set_backend(c10::DeviceType::CUDA, &kBackend), true);

}  // namespace
}  // namespace pyvae::cuda
