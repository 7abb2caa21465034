// Every kernel of the CPU, by density and compute type, for the instruction set chosen at start.
#pragma once

#include "../loops/rows.h"
#include "../ops/kernel.h"

namespace pyvae {

struct CpuKernels {
  const char* name;
  int segment[2];  // columns of one item of the column loop: float, double
  int group;       // kept rows of one, at most
  RowsFn loop[static_cast<int>(Kernel::count)][2][static_cast<int>(Mode::count)];
  TaskFn task[static_cast<int>(Task::count)][2];
};

const CpuKernels& cpu_kernels_portable();
#if defined(PYVAE_X86)
const CpuKernels& cpu_kernels_avx2();
const CpuKernels& cpu_kernels_avx512();
#endif

}  // namespace pyvae
