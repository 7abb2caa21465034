// Rows whose every element needs sums over the whole row, on CUDA; what a density F of this loop
// says, loops/summary.h tells. A short row is a matter of a few lanes or of a warp, a long one of a
// block. Rows of no more columns than their threads hold are read once; longer ones once for each
// sweep, out of a cache, and their noise is made again.
#pragma once

#include <type_traits>

#include "launch.cuh"
#include "quad.cuh"
#include "shape.h"
#include "team.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

constexpr int kSummaryThreads = 128;

// Who works on a row: some lanes of a warp, or a block, which hold four columns in each thread; a
// warp that holds eight; or a block that goes over longer rows.
enum class RowTeam : int { lanes, warp, block, loop };
template <RowTeam kTeam>
constexpr bool kWithinWarp = kTeam == RowTeam::lanes || kTeam == RowTeam::warp;
// Blocks that a multiprocessor should hold: as many as their registers allow without spilling.
constexpr int summary_blocks(RowTeam team, bool single) {
  return !single ? 2 : team == RowTeam::warp ? 3 : 5;
}

template <RowTeam kTeam, int kCount>
__device__ __forceinline__ void team_sums(double (&sum)[kCount], int lanes) {
  if constexpr (kWithinWarp<kTeam>) {
    for (int step = lanes / 2; step; step /= 2) {
#pragma unroll
      for (int k = 0; k < kCount; ++k) sum[k] += __shfl_xor_sync(cuda::kFullMask, sum[k], step);
    }
  } else {
    cuda::block_sums<kSummaryThreads>(sum);
  }
}

template <class F, class T, Path kPath, bool kGradient, RowTeam kTeam>
__global__ void __launch_bounds__(kSummaryThreads, summary_blocks(kTeam, sizeof(T) == 4))
    summary_kernel(const Map a, int lanes) {
  constexpr int kSecond = kGradient ? F::kSecond : F::kSecondOfValue;
  const int lane = threadIdx.x % lanes, teams = kSummaryThreads / lanes;
  for (int64_t start = static_cast<int64_t>(blockIdx.x) * teams; start < a.rows;
       start += static_cast<int64_t>(gridDim.x) * teams) {
    const int64_t index = start + threadIdx.x / lanes;
    const bool there = index < a.rows;  // the last teams may have no row, but sum along
    const SummaryPlace<F, T, kGradient> at(a, there ? index : 0);
    constexpr int kQuads = kTeam == RowTeam::warp ? 2 : 1;
    Quad<F, T, kPath, kGradient> quads[kQuads];
    if constexpr (kTeam != RowTeam::loop) {
#pragma unroll
      for (int q = 0; q < kQuads; ++q) quads[q].load(a, at, 4 * (lane + q * lanes), there);
    }
    // body(quad, first column) for each of the thread's quads.
    const auto sweep = [&](const auto& body) {
      if constexpr (kTeam != RowTeam::loop) {
#pragma unroll
        for (int q = 0; q < kQuads; ++q) body(quads[q], 4 * (lane + q * lanes));
      } else {
#pragma unroll 1
        for (int64_t j = 4 * lane; j < a.cols; j += 4 * kSummaryThreads) {
          quads[0].load(a, at, j, true);
          body(quads[0], j);
        }
      }
    };
    typename F::template Row<double> row{};
    {
      double total[F::kFirst] = {};
      sweep([&](const auto& quad, int64_t) {
        T sum[F::kFirst] = {};
#pragma unroll
        for (int e = 0; e < 4; ++e) F::first(quad.cell[e], sum);
#pragma unroll
        for (int k = 0; k < F::kFirst; ++k) total[k] += static_cast<double>(sum[k]);
      });
      team_sums<kTeam>(total, lanes);
      F::template close_first<kGradient>(row, total);
    }
    {
      const typename F::template Row<T> numbers(row);
      double part[kSecond] = {}, total[F::kSecond] = {};
      sweep([&](const auto& quad, int64_t) {
        T sum[F::kSecond] = {};
#pragma unroll
        for (int e = 0; e < 4; ++e) F::template second<kGradient>(quad.cell[e], numbers, sum);
#pragma unroll
        for (int k = 0; k < kSecond; ++k) part[k] += static_cast<double>(sum[k]);
      });
      team_sums<kTeam>(part, lanes);
#pragma unroll
      for (int k = 0; k < kSecond; ++k) total[k] = part[k];
      F::close_second(row, total);
    }
    const typename F::template Row<T> numbers(row);
    if constexpr (kGradient) {
      const View& v = a.view[kGradValue];
      T slope = static_cast<T>(a.scale);
      if (v.data) slope *= load<T>(v, at.slope);
      sweep([&](auto& quad, int64_t j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) F::gradient(quad.cell[e], numbers, slope);
        quad.write(a, at, j, there);
      });
    } else {
      double total[1] = {};
      sweep([&](auto& quad, int64_t j) {
        T sum = 0;
#pragma unroll
        for (int e = 0; e < 4; ++e) sum += F::value(quad.cell[e], numbers);
        total[0] += static_cast<double>(sum);
        quad.write(a, at, j, there);
      });
      team_sums<kTeam>(total, lanes);
      if (!a.value || lane || !there) continue;
      if (a.partial)
        static_cast<double*>(a.value)[index] = row.value + total[0];
      else
        static_cast<T*>(a.value)[index] = static_cast<T>(row.value + total[0]);
    }
  }
}

// The best path that every operand and result allows.
template <class T>
Path summary_path(const Rows& a) {
  bool same = a.cols % 4 == 0, mixed = same && std::is_same_v<T, float>;
  for (int s = 0; s < kSlots; ++s) {
    const View& v = a.view[s];
    if (!v.data || s == kGradValue || s == kNoiseIndex || s == kSeed) continue;
    const bool packs = lies_in_packs(v, a.ndim, 4);
    const bool one_number = v.step == 0 && (s < kGradValue || s == kGradSample);
    same = same && packs && v.dtype == DtypeOf<T>::value;
    mixed = mixed && (packs || one_number) && v.dtype != Dtype::f64;
  }
  return same ? Path::same : mixed ? Path::mixed : Path::single;
}

template <class F, class T, Path kPath, bool kGradient>
void run_summary(const Map& a, void* stream) {
  int lanes = 1;
  while (lanes < cuda::kWarp && 4 * lanes < a.cols) lanes *= 2;
  const bool few = 4 * lanes >= a.cols;
  const bool pairs = !few && sizeof(T) == 4 && 8 * lanes >= a.cols;
  if (!few && !pairs) lanes = kSummaryThreads;
  const int64_t teams = kSummaryThreads / lanes, blocks = ceil_div(a.rows, teams);
  const cuda::Grid grid{grid_size(blocks)};
  const auto go = [&](auto kernel) {
    cuda::launch(kernel, grid, kSummaryThreads, 0, stream, a, lanes);
  };
  if (few) return go(summary_kernel<F, T, kPath, kGradient, RowTeam::lanes>);
  if constexpr (sizeof(T) == 4)
    if (pairs) return go(summary_kernel<F, T, kPath, kGradient, RowTeam::warp>);
  if (a.cols <= 4 * kSummaryThreads)
    go(summary_kernel<F, T, kPath, kGradient, RowTeam::block>);
  else
    go(summary_kernel<F, T, kPath, kGradient, RowTeam::loop>);
}

template <class F, class T, bool kGradient>
void summary_task(const Map& a, int64_t, void* stream) {
  switch (summary_path<T>(a)) {
    case Path::same:
      return run_summary<F, T, Path::same, kGradient>(a, stream);
    case Path::mixed:
      if constexpr (std::is_same_v<T, float>)
        return run_summary<F, T, Path::mixed, kGradient>(a, stream);
    default:
      run_summary<F, T, Path::single, kGradient>(a, stream);
  }
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
