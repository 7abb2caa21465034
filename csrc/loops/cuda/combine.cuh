// The pass that ends a reduction: sums of what other passes left, each in a fixed order.
#pragma once

#include "../divide.h"
#include "rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// A team of `lanes` threads for each of `count` results, of `summed` numbers each.
__global__ void __launch_bounds__(kThreads)
    combine_kernel(const __grid_constant__ Combine a, int64_t count, int64_t summed, int lanes) {
  const int lane = threadIdx.x & (lanes - 1);
  const int teams = blockDim.x / lanes, team = threadIdx.x / lanes;
  for (int64_t base = int64_t{blockIdx.x} * teams; base < count;
       base += int64_t{gridDim.x} * teams) {
    const int64_t item = base + team;
    int64_t from = 0, to = 0;
    if (item < count) {
      int64_t left = item;
#pragma unroll 1
      for (int d = a.kept - 1; d >= 0; --d) {
        const int64_t outer = quotient(left, a.sizes[d]), at = left - outer * a.sizes[d];
        from += at * a.strides[d], to += at * a.out_strides[d];
        left = outer;
      }
    }
    double total = 0;
    for (int64_t i = lane; item < count && i < summed; i += lanes) {
      int64_t left = i, at = from;
#pragma unroll 1
      for (int d = a.ndim - 1; d > a.kept; --d) {
        const int64_t outer = quotient(left, a.sizes[d]);
        at += (left - outer * a.sizes[d]) * a.strides[d];
        left = outer;
      }
      if (a.ndim > a.kept) at += left * a.strides[a.kept];
      total += a.partial[at];
    }
    total = team_sum(total, lanes);
    if (item < count && lane == 0) store(a.out, a.dtype, to, total);
  }
}

inline void run_combine(const Combine& a, void* stream) {
  int64_t count = 1, summed = 1;
  for (int d = 0; d < a.ndim; ++d) (d < a.kept ? count : summed) *= a.sizes[d];
  // Neighbouring threads read neighbouring numbers: of one result, or of many.
  const bool apart = a.ndim > a.kept && a.strides[a.ndim - 1] != 1;
  const int lanes = apart && count >= 1024 ? 1 : summed < 32 ? 1 : summed < 1024 ? 32 : kThreads;
  cuda::launch(combine_kernel, {grid_size(ceil_div(count, kThreads / lanes))}, kThreads, 0, stream,
               a, count, summed, lanes);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
