// What an op asks of a device. Each device registers one table; ops know nothing else of it.
#pragma once

#include <c10/core/DeviceType.h>

#include "../loops/scale.h"
#include "../plugin.h"
#include "tasks.h"

namespace pyvae {

// What a device states of itself, once.
struct Limits {
  bool host = false;      // tensors can be read without waiting for a stream
  bool teams = false;     // a team of threads works on each item of a task, which then has no tiles
  bool elements = false;  // rows of one element each are to come as the columns of longer rows
  // ReduceColumns is cut into splits of `split_rows` rows at least, as many as keep `split_blocks`
  // blocks of `split_columns` columns busy.
  int64_t split_rows = 1, split_columns = 1, split_blocks = 1;
  // From so many rows on, those of up to `whole_columns` columns are summed without being cut: they
  // keep the device busy by themselves, and no pass has to come after. 0: never.
  int64_t whole_rows = 0, whole_columns = 0;
};

// Which loops of a density to run.
struct Kernel {
  const DensityInfo* density;
  Variant variant;
  bool is_double;
};

struct Backend {
  Limits limits;

  void (*map)(const Kernel& kernel, const Map& pass);
  void (*reduce_columns)(const Kernel& kernel, const ReduceColumns& pass);
  void (*reduce_rows)(const Kernel& kernel, const ReduceRows& pass);
  // Passes of which none needs another's result.
  void (*combine)(const Combine* passes, int count);

  // Columns of one item of ReduceColumns.
  int64_t (*segment)(const Kernel& kernel);

  // A task over `items`; fewer than `grain` of them are not worth a thread.
  void (*run_task)(const AnyTask& task, bool is_double, const void* arguments, int64_t items,
                   int64_t grain);

  // Null where the host looks at the numbers itself.
  void (*scale)(const Scale& pass);
  // The loss of a batch; on the host, of numbers that are float or double.
  void (*loss)(const Loss& pass);

  template <class A>
  void run(const Task<A>& task, bool is_double, const A& arguments, int64_t items,
           int64_t grain) const {
    run_task(task, is_double, &arguments, items, grain);
  }
  // out[i] = sum of `group` consecutive numbers, in float or double.
  void sum_groups(const double* partial, int64_t count, int64_t group, bool is_double,
                  void* out) const;
};

// Null where the device has no kernels in this build.
// Exported: another library may put its table in place of a device's, as the tests do.
__attribute__((visibility("default"))) const Backend* backend(c10::DeviceType device);
__attribute__((visibility("default"))) void set_backend(c10::DeviceType device,
                                                        const Backend* table);

inline bool on_host(c10::DeviceType device) {
  const Backend* table = backend(device);
  return table && table->limits.host;
}

}  // namespace pyvae
