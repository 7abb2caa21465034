// What an op asks of a device. Each device registers one table; ops know nothing else of it.
#pragma once

#include <c10/core/DeviceType.h>

#include "../loops/rows.h"
#include "kernel.h"

namespace pyvae {

struct Backend {
  void (*run)(Kernel kernel, bool is_double, Mode mode, const Rows& rows);

  // A task over `items`; fewer than `grain` of them are not worth a thread.
  void (*run_task)(Task task, bool is_double, const void* arguments, int64_t items, int64_t grain);

  // out[i] = sum of `group` consecutive partial sums, in order; out in double or float.
  void (*sum_groups)(const double* partial, int64_t count, int64_t group, bool is_double,
                     void* out);

  // out[i] = sum over s of partial[s * count + i], in order.
  void (*sum_splits)(const double* partial, int64_t splits, int64_t count, double* out);

  // out[..] += each (row, chunk) partial, by the strides of gradient `operand`, in order. Null:
  // torch's own sum over these dimensions will do.
  void (*scatter_rows)(const Rows& rows, int operand, const double* partial, double* out);

  // Whether Mode::columns also writes gradients that need no sum, where they have views.
  bool columns_write_full = false;

  // Segments of columns in Mode::columns_value. Null where a device does not have that mode.
  int64_t (*column_segments)(bool is_double, int64_t cols) = nullptr;

  // Whether the host may read tensors without waiting.
  bool on_host = false;

  // In how many parts Mode::columns cuts `summed` rows. Null: a few, where there are many.
  int64_t (*splits)(int64_t columns, int64_t summed) = nullptr;

  // data[r][..] *= weight[r] / folded, the weight's stride being strides[0]; rows where that is 1
  // are left alone. Null where the host looks itself.
  void (*scale_rows)(void* data, bool is_double, int64_t rows, int64_t cols, const View& weight,
                     double folded) = nullptr;

  // Whether a block of threads works on each item, rather than one thread with tiles in its cache.
  bool teams = false;
};

// Null where the device has no kernels in this build.
// Exported: another library may put its table in place of a device's, as the tests do.
__attribute__((visibility("default"))) const Backend* backend(c10::DeviceType device);
__attribute__((visibility("default"))) void set_backend(c10::DeviceType device,
                                                        const Backend* table);

inline bool on_host(c10::DeviceType device) {
  const Backend* table = backend(device);
  return table && table->on_host;
}

}  // namespace pyvae
