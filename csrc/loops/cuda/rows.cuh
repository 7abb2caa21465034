// Map and sum rows: a few lanes for a short row, a warp for a longer one, a block for a long one,
// several blocks where a row is cut into chunks.
#pragma once

#include "cells.cuh"
#include "launch.cuh"
#include "shape.h"
#include "team.cuh"

#ifndef __grid_constant__
#define __grid_constant__
#endif

namespace pyvae {
inline namespace PYVAE_ISA {

// The sum over a team of 2^k lanes, in a fixed order; every lane of the block takes part.
template <class T>
__device__ __forceinline__ T team_sum(T value, int lanes) {
  const int within = lanes < cuda::kWarp ? lanes : cuda::kWarp;
#pragma unroll 1
  for (int step = within / 2; step; step /= 2)
    value += __shfl_xor_sync(cuda::kFullMask, value, step);
  if (lanes > cuda::kWarp) {
    __shared__ T part[kThreads / cuda::kWarp];
    const int warps = lanes / cuda::kWarp;
    __syncthreads();
    if (threadIdx.x % cuda::kWarp == 0) part[threadIdx.x / cuda::kWarp] = value;
    __syncthreads();
    value = part[0];
#pragma unroll 1
    for (int w = 1; w < warps; ++w) value += part[w];
  }
  return value;
}

// One item: packs lane, lane + lanes, ... The next pack is fetched before this one is worked on.
template <class F, class T, Mode kMode, Path kPath, int kPack>
__device__ __forceinline__ T
sweep(const Rows& a,
      const Offsets<F, kMode != Mode::grad && kMode != Mode::row_sums, kMode != Mode::value>& at,
      int64_t first, int n, int lane, int lanes, unsigned targets) {
  constexpr bool kValue = kMode == Mode::value || kMode == Mode::value_grad;
  constexpr bool kGrads = kMode != Mode::value;
  using C = Cells<F, T, kPath, kPack, kValue, kGrads>;
  const Places<F, T, kValue, kGrads> places(a, at, first);
  Tally<F, T> tally;
  T sum = T(0);  // of the target's gradient
  T slope = T(0);
  uint64_t seed = 0;
  int64_t noise = 0;
  if constexpr (kGrads) slope = places.slope;
  if constexpr (F::kNoise) seed = places.seed, noise = places.noise;
  // Where a row may begin anywhere in the noise, packs begin at its blocks of four.
  const int shift =
      F::kNoise && kPath == Path::single && kPack > 1 ? static_cast<int>(noise & (kPack - 1)) : 0;
  const auto span_of = [&](int j) -> Span {
    if constexpr (kPath != Path::single || kPack == 1)
      return {0, kPack};
    else
      return {j < 0 ? -j : 0, n - j < kPack ? n - j : kPack};
  };
  int j = lane * kPack - shift;
  if (j >= n) return T(0);
  C next;
  next.fetch(a, places, j, span_of(j));
#pragma unroll 1
  for (bool more = true; more;) {
    C cells = next;
    const int here = j;
    const Span span = span_of(here);
    j += lanes * kPack;
    more = j < n;
    if (more) next.fetch(a, places, j, span_of(j));
    cells.run(a, slope, seed, noise + here, span, tally);
    if constexpr (kValue && F::kNoise)
      C::P::write(a.view[kSample], places.sample, here, span, cells.z);
    if constexpr (kMode == Mode::row_sums) {
#pragma unroll
      for (int k = 0; k < F::kIn; ++k) {
        const bool is_target = (targets >> k) & 1;
#pragma unroll
        for (int e = 0; e < kPack; ++e)
          sum += is_target && e >= span.lo && e < span.hi ? cells.grad[k][e] : T(0);
      }
    } else if constexpr (kGrads) {
#pragma unroll
      for (int k = 0; k < F::kIn; ++k)
        if (a.view[kGradOf + k].data)
          C::P::write(a.view[kGradOf + k], places.grad[k], here, span, cells.grad[k]);
    }
  }
  if constexpr (kMode == Mode::row_sums) return sum;
  return tally.total();
}

template <class F, class T, Mode kMode, Path kPath, int kPack>
__global__ void __launch_bounds__(kThreads, 1)
    rows_kernel(const __grid_constant__ Rows a, const __grid_constant__ RowShape s) {
  constexpr bool kValue = kMode == Mode::value || kMode == Mode::value_grad;
  constexpr bool kGrads = kMode != Mode::value;
  const int lane = threadIdx.x & (s.lanes - 1);
  const int teams = blockDim.x / s.lanes, team = threadIdx.x / s.lanes;
  for (int64_t base = int64_t{blockIdx.x} * teams; base < s.items;
       base += int64_t{gridDim.x} * teams) {
    const int64_t item = base + team;
    T total = T(0);
    if (item < s.items) {
      const int64_t row = s.chunks == 1 ? item : item / s.chunks;
      const int64_t first = (item - row * s.chunks) * s.chunk;
      const int64_t left = a.cols - first;
      Offsets<F, kValue, kGrads> at;
      at.move_row(a, row, 0, a.ndim);
      total = sweep<F, T, kMode, kPath, kPack>(a, at, first,
                                               static_cast<int>(left < s.chunk ? left : s.chunk),
                                               lane, s.lanes, s.targets);
    }
    if constexpr (F::kSum || kMode == Mode::row_sums) {
      if (!a.value) continue;
      total = team_sum(total, s.lanes);
      if (item < s.items && lane == 0) {
        if (a.partial)
          static_cast<double*>(a.value)[item] = static_cast<double>(total);
        else
          static_cast<T*>(a.value)[item] = total;
      }
    }
  }
}

// Columns that a thread takes at once, by path.
template <class F, class T, Path kPath>
constexpr int row_pack() {
  if constexpr (kPath == Path::same) return 4;
  if constexpr (kPath == Path::mixed) return 8;
  return F::kNoise ? 4 : 1;
}

template <class F, class T, Mode kMode, Path kPath>
void launch_rows(const Rows& a, void* stream) {
  constexpr int kPack = row_pack<F, T, kPath>();
  const RowShape s = row_shape(a, kPack, a.value != nullptr);
  const int threads = s.lanes > cuda::kWarp ? s.lanes : kThreads;
  const int64_t blocks = ceil_div(s.items, threads / s.lanes);
  cuda::launch(rows_kernel<F, T, kMode, kPath, kPack>, {grid_size(blocks)}, threads, 0, stream, a,
               s);
}

template <class F, class T, Mode kMode, Limit kLimit>
void rows_on_cuda(const Rows& a, void* stream) {
  bool written[kSlots] = {};
  if (kMode == Mode::value || kMode == Mode::value_grad) written[kSample] = true;
  if (kMode == Mode::grad || kMode == Mode::value_grad)
    for (int k = 0; k < F::kIn; ++k) written[kGradOf + k] = true;
  const Path path = path_of<F, T>(a, 4, 8, written);
  if constexpr (has_path<F, T>(kLimit, Path::same))
    if (path == Path::same) return launch_rows<F, T, kMode, Path::same>(a, stream);
  if constexpr (has_path<F, T>(kLimit, Path::mixed))
    if (path == Path::mixed) return launch_rows<F, T, kMode, Path::mixed>(a, stream);
  launch_rows<F, T, kMode, Path::single>(a, stream);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
