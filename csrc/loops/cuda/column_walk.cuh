// How the threads of a block go down the rows that are summed, each with a pack of columns.
#pragma once

#include "../divide.h"
#include "rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// Columns of a part of a row's value: those of a warp where threads have one each.
constexpr int kColumnSegment = cuda::kWarp;

// Packs of columns, over all kept rows, and the rows that are summed: their number, that of one
// split, and how many follow each other at one distance.
struct ColumnShape {
  int64_t packs_per_row, packs, kept_rows, summed, per_split, run, segments;
  int64_t step[kSlots];  // from a thread's row to its next one of a run: bytes, or places of noise
  int tx, ty;            // threads along packs and along rows
};

inline ColumnShape column_shape(const ReduceColumns& a, int pack) {
  ColumnShape s;
  s.summed = 1;
  for (int d = a.kept; d < a.ndim; ++d) s.summed *= a.sizes[d];
  s.kept_rows = s.summed ? a.rows / s.summed : 0;
  s.per_split = ceil_div(s.summed, a.splits);
  s.packs_per_row = ceil_div(a.cols, pack);
  s.packs = s.packs_per_row * s.kept_rows;
  s.segments = ceil_div(a.cols, kColumnSegment);
  const int most = a.values ? cuda::kWarp : kThreads;  // a part of a value is a matter of a warp
  s.tx = s.packs >= kManyThreads ? most : power_of_two(s.packs < 32 ? s.packs : 32);
  while (s.tx < most && kThreads / s.tx > s.per_split) s.tx *= 2;
  s.ty = kThreads / s.tx;
  s.run = a.ndim > a.kept ? a.sizes[a.ndim - 1] : 1;
  for (int slot = 0; slot < kSlots; ++slot) {
    const View& v = a.view[slot];
    const int64_t stride = v.data && a.ndim > a.kept ? v.strides[a.ndim - 1] : 0;
    s.step[slot] = stride * s.ty * (slot == kNoiseIndex ? 1 : element_size(v.dtype));
  }
  return s;
}

// Rows from r on that follow each other at one distance, or very many of them.
__device__ __forceinline__ int rows_left(const ColumnShape& s, int64_t r) {
  constexpr int64_t kMany = int64_t{1} << 30;
  const int64_t left = s.run - (r - quotient(r, s.run) * s.run);
  return static_cast<int>(left < kMany ? left : kMany);
}

// Where a thread's columns of a row are read.
template <class F>
struct ColumnReads {
  const char* in[F::kIn];
  const char *slope, *grad_sample, *seed;
  int64_t noise = 0;

  template <bool kValue>
  __device__ __forceinline__ void go(const Rows& a, const Offsets<F, kValue, true>& at, int64_t j) {
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) in[k] = place_of(a.view[kInput + k], at.in[k], j);
    slope = place_of(a.view[kGradValue], at.grad_value, 0);
    if constexpr (kNoise<F>) {
      grad_sample = place_of(a.view[kGradSample], at.grad_sample, j);
      seed = place_of(a.view[kSeed], at.seed, 0);
      noise = at.noise + j;
    }
  }
  __device__ __forceinline__ void step(const ColumnShape& s) {
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) in[k] += s.step[kInput + k];
    slope += s.step[kGradValue];
    if constexpr (kNoise<F>) {
      grad_sample += s.step[kGradSample], seed += s.step[kSeed];
      noise += s.step[kNoiseIndex];
    }
  }
};

// Where a gradient is a sum; the others are written as they come.
__device__ __forceinline__ bool is_sum(const Rows& a, int k) {
  return a.view[kGradOf + k].data && a.view[kGradOf + k].strides[a.ndim - 1] == 0;
}

// Where those others go.
template <class F>
struct ColumnWrites {
  char* grad[F::kIn];

  template <bool kValue>
  __device__ __forceinline__ void go(const Rows& a, const Offsets<F, kValue, true>& at, int64_t j) {
#pragma unroll
    for (int k = 0; k < F::kIn; ++k)
      grad[k] = is_sum(a, k) ? nullptr : place_of(a.view[kGradOf + k], at.grad[k], j);
  }
  // A pointer to nothing stays there: the steps of what is not written are 0.
  __device__ __forceinline__ void step(const ColumnShape& s) {
#pragma unroll
    for (int k = 0; k < F::kIn; ++k) grad[k] += s.step[kGradOf + k];
  }
};

// The cells of one row, on their way from memory, and the row's own numbers.
template <class F, class T, Path kPath, int kPack, bool kValue>
struct ColumnCells {
  using P = Pack<kPath, T, kPack>;
  Cells<F, T, kPath, kPack, kValue, true> cells;
  T slope;
  uint64_t seed;
  int64_t noise;

  __device__ __forceinline__ void fetch(const Rows& a, const ColumnReads<F>& at, Span span) {
    cells.fetch(a, at, 0, span);
    slope = static_cast<T>(a.scale);
    if (a.view[kGradValue].data) slope *= load<T>(at.slope, a.view[kGradValue].dtype, 0);
    if constexpr (kNoise<F>) {
      seed = *reinterpret_cast<const uint64_t*>(at.seed);
      noise = at.noise;
    }
  }
};

}  // namespace PYVAE_ISA
}  // namespace pyvae
