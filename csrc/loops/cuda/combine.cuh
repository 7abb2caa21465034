// The pass that ends a reduction: sums of what other passes left, each in a fixed order.
#pragma once

#include "../divide.h"
#include "rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// A pass with how it is laid over threads: a team of `lanes` for each of `count` results, of
// `summed` numbers each.
struct Sums {
  Combine pass;
  int64_t count, summed;
  int lanes;
};
// As many as one call of the row loop ends with: gradients and values.
constexpr int kMostSums = kMaxIn + 1;
struct AllSums {
  Sums of[kMostSums];
};

__global__ void __launch_bounds__(kThreads) combine_kernel(const __grid_constant__ AllSums all) {
  const Sums& s = all.of[blockIdx.y];
  const Combine& a = s.pass;
  if (a.done && *a.done != 0) return;
  const int lane = threadIdx.x & (s.lanes - 1);
  const int teams = kThreads / s.lanes, team = threadIdx.x / s.lanes;
  for (int64_t base = int64_t{blockIdx.x} * teams; base < s.count;
       base += int64_t{gridDim.x} * teams) {
    const int64_t item = base + team;
    int64_t from = 0, to = 0;
    if (item < s.count) {
      int64_t left = item;
#pragma unroll 1
      for (int d = a.kept - 1; d >= 0; --d) {
        const int64_t outer = quotient(left, a.sizes[d]), at = left - outer * a.sizes[d];
        from += at * a.strides[d], to += at * a.out_strides[d];
        left = outer;
      }
    }
    double total = 0;
    for (int64_t i = lane; item < s.count && i < s.summed; i += s.lanes) {
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
    total = team_sum(total, s.lanes);
    if (item < s.count && lane == 0) store(a.out, a.dtype, to, total);
  }
}

inline Sums sums_of(const Combine& a) {
  Sums s{a, 1, 1, 1};
  for (int d = 0; d < a.ndim; ++d) (d < a.kept ? s.count : s.summed) *= a.sizes[d];
  // Neighbouring threads read neighbouring numbers: of one result, or of many.
  const bool apart = a.ndim > a.kept && a.strides[a.ndim - 1] != 1;
  if (!(apart && s.count >= 1024) && s.summed >= 32) s.lanes = s.summed < 1024 ? 32 : kThreads;
  return s;
}

// All in one launch: passes are short, and a launch takes as long as one of them.
inline void run_combine(const Combine* passes, int count, void* stream) {
  for (int first = 0; first < count; first += kMostSums) {
    const int n = count - first < kMostSums ? count - first : kMostSums;
    AllSums all{};
    int64_t blocks = 0;
    for (int i = 0; i < n; ++i) {
      all.of[i] = sums_of(passes[first + i]);
      const int64_t own = ceil_div(all.of[i].count, kThreads / all.of[i].lanes);
      blocks = own > blocks ? own : blocks;
    }
    cuda::launch(combine_kernel, {grid_size(blocks), static_cast<unsigned>(n)}, kThreads, 0, stream,
                 all);
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
