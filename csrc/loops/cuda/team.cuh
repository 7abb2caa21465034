// What the threads of a warp or of a block find out together. The order of every sum is fixed, so
// that a result is the same, bit by bit, in every run; every thread gets it. All threads of the
// warp or block must take part.
#pragma once

#include "platform.h"

namespace pyvae::cuda {

// An xor butterfly: a + b = b + a, so all lanes hold the same bits.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int step = kWarp / 2; step; step /= 2) value += __shfl_xor_sync(kFullMask, value, step);
  return value;
}

// NaN is passed on: no thread may take a maximum that hides it.
template <class T>
__device__ __forceinline__ T larger(T a, T b) {
  return a > b || a != a ? a : b;
}

template <class T>
__device__ __forceinline__ T warp_max(T value) {
#pragma unroll
  for (int step = kWarp / 2; step; step /= 2)
    value = larger(value, __shfl_xor_sync(kFullMask, value, step));
  return value;
}

// Several sums over a block of kThreads, in one pass through shared memory. The first barrier lets
// the last readers of an earlier call finish.
template <int kThreads, int kCount, class T>
__device__ __forceinline__ void block_sums(T (&value)[kCount]) {
  static_assert(kThreads % kWarp == 0 && kThreads <= kWarp * kWarp);
  constexpr int kWarps = kThreads / kWarp;
#pragma unroll
  for (int i = 0; i < kCount; ++i) value[i] = warp_sum(value[i]);
  if constexpr (kWarps > 1) {
    __shared__ T part[kCount][kWarps];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    __syncthreads();
    if (lane == 0) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) part[i][warp] = value[i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; ++i) value[i] = warp_sum(lane < kWarps ? part[i][lane] : T(0));
  }
}

template <int kThreads, class T>
__device__ __forceinline__ T block_sum(T value) {
  T one[1] = {value};
  block_sums<kThreads>(one);
  return one[0];
}

template <int kThreads, class T>
__device__ __forceinline__ T block_max(T value) {
  static_assert(kThreads % kWarp == 0 && kThreads <= kWarp * kWarp);
  constexpr int kWarps = kThreads / kWarp;
  value = warp_max(value);
  if constexpr (kWarps > 1) {
    __shared__ T part[kWarps];
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    __syncthreads();
    if (lane == 0) part[warp] = value;
    __syncthreads();
    value = warp_max(part[lane < kWarps ? lane : 0]);
  }
  return value;
}

}  // namespace pyvae::cuda
