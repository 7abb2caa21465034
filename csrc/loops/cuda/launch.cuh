// The only place that launches a kernel: on the stream given, no synchronisation, arguments by
// value, so that a CUDA graph may capture it. What the runtime refuses becomes an exception.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>

#include "platform.h"

namespace pyvae::cuda {

struct Grid {
  unsigned x = 1, y = 1, z = 1;  // blocks: x below 2^31, y and z at most 65535
};

inline void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // forgets it: an error that was reported is no later caller's error
  throw std::runtime_error(std::string("pyvae: ") + what + " failed: " + cudaGetErrorString(code));
}

// `stream` is a cudaStream_t, `shared_bytes` the dynamic shared memory of a block, `threads` a
// multiple of kWarp. An empty grid launches nothing.
template <class... P>
void launch(void (*kernel)(P...), Grid grid, unsigned threads, size_t shared_bytes, void* stream,
            std::type_identity_t<P>... arguments) {
  if (!grid.x || !grid.y || !grid.z) return;
#if defined(PYVAE_EXECUTOR)
  executor::run({grid.x, grid.y, grid.z}, threads, shared_bytes, [&] { kernel(arguments...); });
#else
  constexpr size_t kStatic = 48 * 1024;  // more than this a kernel has to ask for by its attribute
  if (shared_bytes > kStatic)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)),
          "reserving shared memory for a CUDA kernel");
  void* pointers[] = {static_cast<void*>(&arguments)..., nullptr};
  check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(grid.x, grid.y, grid.z),
                         dim3(threads), pointers, shared_bytes, static_cast<cudaStream_t>(stream)),
        "the launch of a CUDA kernel");
#endif
}

}  // namespace pyvae::cuda
