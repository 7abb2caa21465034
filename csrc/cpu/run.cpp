#include "run.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "../ops/backend.h"

namespace pyvae::cpu {

const CpuKernels& kernels() {
  static const CpuKernels& chosen = []() -> const CpuKernels& {
    const char* wish = std::getenv("PYVAE_ISA");
    const std::string name = wish ? wish : "";
#if defined(PYVAE_X86)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("f16c");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    TORCH_CHECK_VALUE(name.empty() || name == "portable" || name == "avx2" || name == "avx512",
                      "PYVAE_ISA must be portable, avx2 or avx512, got ", name);
    TORCH_CHECK_VALUE(!(name == "avx2" && !avx2) && !(name == "avx512" && !avx512),
                      "PYVAE_ISA=", name, ", but this processor lacks it");
    if (avx512 && (name.empty() || name == "avx512")) return cpu_kernels_avx512();
    if (avx2 && name != "portable") return cpu_kernels_avx2();
#else
    TORCH_CHECK_VALUE(name.empty() || name == "portable",
                      "PYVAE_ISA must be portable on this processor, got ", name);
#endif
    return cpu_kernels_portable();
  }();
  return chosen;
}

namespace {
// Elements below which a second thread costs more than it saves.
constexpr int64_t kGrain = 16384;

int64_t column_segments(bool is_double, int64_t cols) {
  const int64_t segment = kernels().segment[is_double];
  return (cols + segment - 1) / segment;
}

void run(Kernel kernel, bool is_double, Mode mode, const Rows& given) {
  const CpuKernels& k = kernels();
  const RowsFn fn = k.loop[static_cast<int>(kernel)][is_double][static_cast<int>(mode)];
  Rows rows = given;
  int64_t items, weight;  // weight: elements of one item
  if (mode == Mode::columns || mode == Mode::columns_value) {
    const int64_t segments = column_segments(is_double, rows.cols);
    int64_t kept = 1;
    for (int d = 0; d < rows.kept; ++d) kept *= rows.sizes[d];
    // As many groups as there are threads, or a multiple; a group's size changes no result.
    const int64_t most =
        std::clamp<int64_t>(k.segment[is_double] / std::max<int64_t>(rows.cols, 1), 1, k.group);
    const int64_t threads = at::get_num_threads(), wave = most * threads;
    const int64_t groups = std::max<int64_t>((kept + wave - 1) / wave * threads, 1);
    rows.group = static_cast<int>(std::max<int64_t>((kept + groups - 1) / groups, 1));
    items = (kept + rows.group - 1) / rows.group * segments * rows.splits;
    weight = items ? rows.rows * rows.cols / items : 1;
  } else {
    items = rows.rows * rows.chunks();
    weight = std::min<int64_t>(rows.cols, kChunk);
  }
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, weight));
  if (items <= grain) {
    if (items) fn(rows, 0, items);
    return;
  }
  at::parallel_for(0, items, grain, [&](int64_t begin, int64_t end) { fn(rows, begin, end); });
}

void run_task(Task task, bool is_double, const void* arguments, int64_t items, int64_t grain) {
  const TaskFn fn = kernels().task[static_cast<int>(task)][is_double];
  if (items <= grain) {
    if (items) fn(arguments, 0, items);
    return;
  }
  at::parallel_for(0, items, std::max<int64_t>(1, grain),
                   [&](int64_t begin, int64_t end) { fn(arguments, begin, end); });
}

void sum_groups(const double* partial, int64_t count, int64_t group, bool is_double, void* out) {
  for (int64_t i = 0; i < count; ++i) {
    double total = 0;
    for (int64_t j = 0; j < group; ++j) total += partial[i * group + j];
    if (is_double)
      static_cast<double*>(out)[i] = total;
    else
      static_cast<float*>(out)[i] = static_cast<float>(total);
  }
}

void sum_splits(const double* partial, int64_t splits, int64_t count, double* out) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = partial[i];
    for (int64_t s = 1; s < splits; ++s) out[i] += partial[s * count + i];
  }
}

void scatter_rows(const Rows& rows, int operand, const double* partial, double* out) {
  const View& g = rows.view[kGrad + operand];
  const int64_t chunks = rows.chunks();
  int64_t index[kMaxDims] = {};
  int64_t offset = 0;
  for (int64_t r = 0; r < rows.rows; ++r) {
    for (int64_t c = 0; c < chunks; ++c) out[offset] += partial[r * chunks + c];
    for (int d = rows.ndim - 1; d >= 0; --d) {
      offset += g.strides[d];
      if (++index[d] < rows.sizes[d]) break;
      index[d] = 0;
      offset -= rows.sizes[d] * g.strides[d];
    }
  }
}

const Backend kBackend{.run = run,
                       .run_task = run_task,
                       .sum_groups = sum_groups,
                       .sum_splits = sum_splits,
                       .scatter_rows = scatter_rows,
                       .columns_write_full = true,
                       .column_segments = column_segments,
                       .on_host = true};
const bool registered = (set_backend(c10::DeviceType::CPU, &kBackend), true);

}  // namespace
}  // namespace pyvae::cpu
