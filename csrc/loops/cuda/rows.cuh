// Map and sum rows: a few lanes for a short row, a warp for a longer one, a block for a long one,
// several blocks where a row is cut into chunks.
#pragma once

#include "cells.cuh"
#include "launch.cuh"
#include "shape.h"
#include "team.cuh"

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
// kTarget: sums the gradient of one operand instead of the value, and writes none.
template <class F, class T, bool kValue, bool kGrads, bool kTarget, Path kPath, int kPack>
__device__ __forceinline__ T sweep(const Rows& a, const Offsets<F, kValue, kGrads>& at,
                                   int64_t first, int n, int lane, int lanes, unsigned targets) {
  using C = Cells<F, T, kPath, kPack, kValue, kGrads>;
  const Places<F, T, kValue, kGrads> places(a, at, first);
  Tally<F, T> tally;
  T sum = T(0);  // of the target's gradient
  T slope = T(0);
  uint64_t seed = 0;
  int64_t noise = 0;
  if constexpr (kGrads) slope = places.slope;
  if constexpr (kNoise<F>) seed = places.seed, noise = places.noise;
  // Where a row may begin anywhere in the noise, packs begin at its blocks of four.
  const int shift =
      kNoise<F> && kPath == Path::single && kPack > 1 ? static_cast<int>(noise & (kPack - 1)) : 0;
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
    if constexpr (kValue && kNoise<F>)
      C::P::write(a.view[kSample], places.sample, here, span, cells.z);
    if constexpr (kTarget) {
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
  if constexpr (kTarget) return sum;
  return tally.total();
}

// The team of threads that this thread is in, and each of its items.
template <class F, bool kValue, bool kGrads, class Sweep, class Write>
__device__ __forceinline__ void each_item(const Rows& a, const RowShape& s, bool sums,
                                          const Sweep& sweep_item, const Write& write) {
  const int lane = threadIdx.x & (s.lanes - 1);
  const int teams = blockDim.x / s.lanes, team = threadIdx.x / s.lanes;
  for (int64_t base = int64_t{blockIdx.x} * teams; base < s.items;
       base += int64_t{gridDim.x} * teams) {
    const int64_t item = base + team;
    decltype(sweep_item(Offsets<F, kValue, kGrads>(), int64_t{}, 0, 0)) total = 0;
    if (item < s.items) {
      const int64_t row = s.chunks == 1 ? item : item / s.chunks;
      const int64_t first = (item - row * s.chunks) * s.chunk;
      const int64_t left = a.cols - first;
      Offsets<F, kValue, kGrads> at;
      at.move_row(a, row, 0, a.ndim);
      total = sweep_item(at, first, static_cast<int>(left < s.chunk ? left : s.chunk), lane);
    }
    if (!sums) continue;
    total = team_sum(total, s.lanes);
    if (item < s.items && lane == 0) write(item, total);
  }
}

template <class F, class T, Want kWant, Path kPath, int kPack>
__global__ void __launch_bounds__(kThreads, 1)
    map_kernel(const __grid_constant__ Map a, const __grid_constant__ RowShape s) {
  constexpr bool kValue = kWant != Want::grad, kGrads = kWant != Want::value;
  each_item<F, kValue, kGrads>(
      a, s, F::kSum && a.value,
      [&](const Offsets<F, kValue, kGrads>& at, int64_t first, int n, int lane) {
        if constexpr (kWant == Want::grad && F::kSum && !kNoise<F>)
          if (is_ready<T>(a.view[kGradValue], a.ready, at.grad_value)) return T(0);
        return sweep<F, T, kValue, kGrads, false, kPath, kPack>(a, at, first, n, lane, s.lanes, 0);
      },
      [&](int64_t item, T total) {
        if (a.partial)
          static_cast<double*>(a.value)[item] = static_cast<double>(total);
        else
          static_cast<T*>(a.value)[item] = total;
      });
}

template <class F, class T, Path kPath, int kPack>
__global__ void __launch_bounds__(kThreads, 1)
    reduce_rows_kernel(const __grid_constant__ ReduceRows a, const __grid_constant__ RowShape s) {
  each_item<F, false, true>(
      a, s, true,
      [&](const Offsets<F, false, true>& at, int64_t first, int n, int lane) {
        return sweep<F, T, false, true, true, kPath, kPack>(a, at, first, n, lane, s.lanes,
                                                            1u << a.target);
      },
      [&](int64_t item, T total) { a.sums[item] = static_cast<double>(total); });
}

// Columns that a thread takes at once, by path.
template <class F, class T, Path kPath>
constexpr int row_pack() {
  if constexpr (kPath == Path::same) return 4;
  if constexpr (kPath == Path::mixed) return 8;
  return kNoise<F> || !F::kHeavy ? 4 : 1;
}

// Runs `launch` on the best path that the operands and the kernels allow.
template <class F, class T, class Launch>
void by_path(Path path, const Launch& launch) {
  const auto on = [&]<Path kPath>(std::integral_constant<Path, kPath>) {
    launch.template operator()<kPath>();
  };
  if constexpr (has_path<F, T>(Path::same))
    if (path == Path::same) return on(std::integral_constant<Path, Path::same>());
  if constexpr (has_path<F, T>(Path::mixed))
    if (path == Path::mixed) return on(std::integral_constant<Path, Path::mixed>());
  on(std::integral_constant<Path, Path::single>());
}

template <class Pass>
void launch_rows(void (*kernel)(Pass, RowShape), const Pass& a, const RowShape& s, void* stream) {
  const int threads = s.lanes > cuda::kWarp ? s.lanes : kThreads;
  cuda::launch(kernel, {grid_size(ceil_div(s.items, threads / s.lanes))}, threads, 0, stream, a, s);
}

template <class F, class T, Want kWant>
void map_on_cuda(const Map& a, void* stream) {
  bool written[kSlots] = {};
  written[kSample] = kWant != Want::grad;
  for (int k = 0; k < F::kIn; ++k) written[kGradOf + k] = kWant != Want::value;
  by_path<F, T>(path_of<F, T>(a, 4, 8, written), [&]<Path kPath>() {
    constexpr int kPack = row_pack<F, T, kPath>();
    launch_rows<Map>(map_kernel<F, T, kWant, kPath, kPack>, a,
                     row_shape(a, kPack, a.value != nullptr, a.whole), stream);
  });
}

template <class F, class T>
void reduce_rows_on_cuda(const ReduceRows& a, void* stream) {
  by_path<F, T>(path_of<F, T>(a, 4, 8, {}), [&]<Path kPath>() {
    constexpr int kPack = row_pack<F, T, kPath>();
    launch_rows<ReduceRows>(reduce_rows_kernel<F, T, kPath, kPack>, a, row_shape(a, kPack, true),
                            stream);
  });
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
