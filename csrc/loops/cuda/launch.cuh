// The only place that launches a kernel: on the stream given, no synchronisation, arguments by
// value, so that a CUDA graph may capture it. What the runtime refuses becomes an exception.
#pragma once

#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "platform.h"

#ifndef __grid_constant__
#define __grid_constant__
#endif

namespace pyvae::cuda {

struct Grid {
  unsigned x = 1, y = 1, z = 1;  // blocks: x below 2^31, y and z at most 65535
};

inline void check(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // forgets it: an error that was reported is no later caller's error
  throw std::runtime_error(std::string("pyvae: ") + what + " failed: " + cudaGetErrorString(code));
}

#if !defined(PYVAE_EXECUTOR)
// Lets a kernel have as much dynamic shared memory as the current device gives one: more than 48
// KiB have to be asked for, once on each device.
inline void allow_shared_memory(const void* kernel) {
  static std::mutex mutex;
  static std::set<std::pair<const void*, int>> allowed;
  int device = 0, most = 0;
  check(cudaGetDevice(&device), "finding the current CUDA device");
  const std::lock_guard<std::mutex> lock(mutex);
  if (allowed.count({kernel, device})) return;
  constexpr const char* kWhat = "reserving shared memory for a CUDA kernel";
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), kWhat);
  cudaFuncAttributes own;
  check(cudaFuncGetAttributes(&own, kernel), kWhat);
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             most - static_cast<int>(own.sharedSizeBytes)),
        kWhat);
  allowed.insert({kernel, device});
}
#endif

// `stream` is a cudaStream_t, `shared_bytes` the dynamic shared memory of a block, `threads` a
// multiple of kWarp. An empty grid launches nothing.
template <class... P>
void launch(void (*kernel)(P...), Grid grid, unsigned threads, size_t shared_bytes, void* stream,
            std::type_identity_t<P>... arguments) {
  if (!grid.x || !grid.y || !grid.z) return;
#if defined(PYVAE_EXECUTOR)
  executor::run({grid.x, grid.y, grid.z}, threads, shared_bytes, [&] { kernel(arguments...); });
#else
  constexpr size_t kUnasked = 32 * 1024;  // leaves room for what a kernel has of its own
  if (shared_bytes > kUnasked) allow_shared_memory(reinterpret_cast<const void*>(kernel));
  void* pointers[] = {static_cast<void*>(&arguments)..., nullptr};
  check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(grid.x, grid.y, grid.z),
                         dim3(threads), pointers, shared_bytes, static_cast<cudaStream_t>(stream)),
        "the launch of a CUDA kernel");
#endif
}

}  // namespace pyvae::cuda
