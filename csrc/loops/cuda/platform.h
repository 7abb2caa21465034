// What kernels are written in: CUDA's runtime, or the executor of tests, which runs the same
// sources on the host (threads of a block as fibers).
#pragma once

#if defined(PYVAE_EXECUTOR)
#include "executor.h"  // of tests/cuda, by include path; defines what <cuda_runtime.h> would
#else
#include <cuda_runtime.h>

namespace pyvae::cuda {

// The block's dynamic shared memory, as many bytes as its launch asked for, aligned to 16.
template <class T>
__device__ __forceinline__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char pyvae_dynamic_shared[];
  return reinterpret_cast<T*>(pyvae_dynamic_shared);
}

}  // namespace pyvae::cuda
#endif

namespace pyvae::cuda {

constexpr int kWarp = 32;
constexpr unsigned kFullMask = 0xffffffffu;

}  // namespace pyvae::cuda
