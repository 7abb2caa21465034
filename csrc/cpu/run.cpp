#include "run.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "../ops/backend.h"
#include "combine.h"
#include "loss.h"

namespace pyvae::cpu {

Isa isa() {
  static const Isa chosen = [] {
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
    if (avx512 && (name.empty() || name == "avx512")) return kAvx512;
    if (avx2 && name != "portable") return kAvx2;
#else
    TORCH_CHECK_VALUE(name.empty() || name == "portable",
                      "PYVAE_ISA must be portable on this processor, got ", name);
#endif
    return kPortable;
  }();
  return chosen;
}

const char* name_of(Isa isa) {
  constexpr const char* names[kIsas] = {"portable", "avx2", "avx512"};
  return names[isa];
}

namespace {
// Elements below which a second thread costs more than it saves.
constexpr int64_t kGrain = 16384;

// The kernels of the best instruction set that the density was built for.
const CpuKernels& kernels(const Kernel& kernel) {
  int set = isa();
  while (set > kPortable && !kernel.density->cpu[set]) --set;
  return kernel.density->cpu[set][kernel.variant];
}

template <class Run>
void in_threads(int64_t items, int64_t grain, const Run& run) {
  if (items > grain)
    at::parallel_for(0, items, grain, run);
  else if (items)
    run(0, items);
}
// Runs items of `weight` elements each.
template <class Pass>
void run_items(void (*kernel)(const Pass&, int64_t, int64_t), const Pass& pass, int64_t items,
               int64_t weight) {
  in_threads(items, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, weight)),
             [&](int64_t begin, int64_t end) { kernel(pass, begin, end); });
}

void map(const Kernel& kernel, const Map& pass) {
  run_items(kernels(kernel).map[kernel.is_double][static_cast<int>(pass.want)], pass,
            pass.rows * pass.chunks(), std::min(pass.cols, kChunk));
}

void reduce_rows(const Kernel& kernel, const ReduceRows& pass) {
  run_items(kernels(kernel).reduce_rows[kernel.is_double], pass, pass.rows * pass.chunks(),
            std::min(pass.cols, kChunk));
}

int64_t segment(const Kernel& kernel) { return kernels(kernel).segment[kernel.is_double]; }

void reduce_columns(const Kernel& kernel, const ReduceColumns& given) {
  ReduceColumns pass = given;
  const int64_t columns = segment(kernel), segments = (pass.cols + columns - 1) / columns;
  int64_t kept = 1;
  for (int d = 0; d < pass.kept; ++d) kept *= pass.sizes[d];
  // As many groups as there are threads, or a multiple; a group's size changes no result.
  const int64_t most = std::clamp<int64_t>(columns / std::max<int64_t>(pass.cols, 1), 1, kMaxGroup);
  const int64_t threads = at::get_num_threads(), wave = most * threads;
  const int64_t groups = std::max<int64_t>((kept + wave - 1) / wave * threads, 1);
  pass.group = static_cast<int>(std::max<int64_t>((kept + groups - 1) / groups, 1));
  const int64_t items = (kept + pass.group - 1) / pass.group * segments * pass.splits;
  run_items(kernels(kernel).reduce_columns[kernel.is_double][pass.values != nullptr], pass, items,
            items ? pass.rows * pass.cols / items : 1);
}

void run_task(const AnyTask& task, bool is_double, const void* arguments, int64_t items,
              int64_t grain) {
  in_threads(items, std::max<int64_t>(1, grain), [&](int64_t begin, int64_t end) {
    task.on_cpu(isa(), is_double, arguments, begin, end);
  });
}

const Backend kBackend{.limits = {.host = true,
                                  .teams = false,
                                  .elements = true,
                                  .split_rows = 256,
                                  .split_columns = 4096,
                                  .split_blocks = 8},
                       .map = map,
                       .reduce_columns = reduce_columns,
                       .reduce_rows = reduce_rows,
                       .combine = combine,
                       .segment = segment,
                       .run_task = run_task,
                       .scale = nullptr,
                       .loss = loss};
const bool registered = (set_backend(c10::DeviceType::CPU, &kBackend), true);

}  // namespace
}  // namespace pyvae::cpu
