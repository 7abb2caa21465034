// A unit of kernels for one instruction set, PYVAE_ISA: include this, then headers of densities.
#pragma once

#define PYVAE_DENSITY(F)                                                                           \
  namespace pyvae {                                                                                \
  inline namespace PYVAE_ISA {                                                                     \
  extern const CpuKernels kernels_of_##F[kVariants];                                               \
  constinit const CpuKernels kernels_of_##F[kVariants] = {                                         \
      cpu_kernels<F>(), cpu_kernels<F::OfData>(), cpu_kernels<F::OfLevels>()};                     \
  }                                                                                                \
  }

#include "../loops/cpu.h"
#include "../loops/special.h"
