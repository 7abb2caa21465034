// The CPU as a backend: which instruction set, how many threads.
#pragma once

#include "kernels.h"

namespace pyvae::cpu {

// Chosen once: the best the processor has, or PYVAE_ISA=portable|avx2|avx512.
const CpuKernels& kernels();

}  // namespace pyvae::cpu
