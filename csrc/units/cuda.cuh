// A unit of kernels for CUDA: include this, then headers of densities.
#pragma once

#define PYVAE_DENSITY(F)                                                                           \
  namespace pyvae {                                                                                \
  inline namespace PYVAE_ISA {                                                                     \
  extern const CudaKernels kernels_of_##F[kVariants];                                              \
  constinit const CudaKernels kernels_of_##F[kVariants] = {                                        \
      cuda_kernels<F>(), cuda_kernels<F::OfData>(), cuda_kernels<F::OfLevels>()};                  \
  }                                                                                                \
  }

#include "../loops/cuda.cuh"
