// Sum columns over rows: the gradients of broadcast operands. A thread has a few neighbouring
// columns of a kept row and every ty-th of the rows that are summed; the block adds them up.
#pragma once

#include "rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// Packs of columns, over all kept rows, and the rows that are summed: their number, of one split
// and of the whole.
struct ColumnShape {
  int64_t packs_per_row, packs, kept_rows, summed, per_split;
  int tx, ty;  // threads along packs and along rows
};

inline ColumnShape column_shape(const ReduceColumns& a, int pack) {
  ColumnShape s;
  s.summed = 1;
  for (int d = a.kept; d < a.ndim; ++d) s.summed *= a.sizes[d];
  s.kept_rows = s.summed ? a.rows / s.summed : 0;
  s.per_split = ceil_div(s.summed, a.splits);
  s.packs_per_row = ceil_div(a.cols, pack);
  s.packs = s.packs_per_row * s.kept_rows;
  s.tx = s.packs >= kManyThreads ? kThreads : power_of_two(s.packs < 32 ? s.packs : 32);
  while (s.tx < kThreads && kThreads / s.tx > s.per_split) s.tx *= 2;
  s.ty = kThreads / s.tx;
  return s;
}

// A thread's sums: of 64 rows in T, of those in double. The latter wait in shared memory, where the
// block adds them up: slot by slot, one number for each thread.
template <int kIn, class T, int kPack>
struct ColumnSums {
  static constexpr int kRun = 64, kSlots = kIn * kPack;

  double* total;  // of this thread, kThreads apart
  T sum[kIn][kPack] = {};
  int count = 0;

  __device__ __forceinline__ explicit ColumnSums(double* part) : total(part + threadIdx.x) {
#pragma unroll
    for (int i = 0; i < kSlots; ++i) total[i * kThreads] = 0;
  }
  __device__ __forceinline__ void flush() {
#pragma unroll
    for (int k = 0; k < kIn; ++k)
#pragma unroll
      for (int e = 0; e < kPack; ++e) {
        total[(k * kPack + e) * kThreads] += static_cast<double>(sum[k][e]);
        sum[k][e] = T(0);
      }
    count = 0;
  }
  __device__ __forceinline__ void add(const T (&grad)[kIn][kPack]) {
#pragma unroll
    for (int k = 0; k < kIn; ++k)
#pragma unroll
      for (int e = 0; e < kPack; ++e) sum[k][e] += grad[k][e];
    if (++count == kRun) flush();
  }
};

// Where a gradient is a sum; the others are written as they come.
__device__ __forceinline__ bool is_sum(const Rows& a, int k) {
  return a.view[kGrad + k].data && a.view[kGrad + k].strides[a.ndim - 1] == 0;
}

template <class F, class T, Path kPath, int kPack>
__global__ void __launch_bounds__(kThreads, 1)
    columns_kernel(const __grid_constant__ ReduceColumns a, const __grid_constant__ ColumnShape s) {
  using C = Cells<F, T, kPath, kPack, false, true>;
  const int x = threadIdx.x & (s.tx - 1), y = threadIdx.x / s.tx;
  const int64_t split = blockIdx.y, first = split * s.per_split;
  const int64_t end = first + s.per_split, last = end < s.summed ? end : s.summed;
  __shared__ double part[F::kIn * kPack * kThreads];
  for (int64_t base = int64_t{blockIdx.x} * s.tx; base < s.packs;
       base += int64_t{gridDim.x} * s.tx) {
    const int64_t pack = base + x;
    const bool there = pack < s.packs;
    const int64_t row = there ? pack / s.packs_per_row : 0;
    const int64_t j = (pack - row * s.packs_per_row) * kPack;
    Offsets<F, false, true> kept;
    kept.move_row(a, row, 0, a.kept);
    __syncthreads();  // all have read the sums of the last packs
    ColumnSums<F::kIn, T, kPack> sums(part);
    Tally<F, T> none;
    int64_t r = first + y;
    if (there && r < last) {
      const Span span{0, kPack};
      const auto places_of = [&](int64_t summed) {
        Offsets<F, false, true> at = kept;
        at.move_row(a, summed, a.kept, a.ndim);
        return Places<F, T, false, true>(a, at, j);
      };
      Places<F, T, false, true> at_next = places_of(r);
      C next;
      next.fetch(a, at_next, 0, span);
#pragma unroll 1
      for (bool more = true; more;) {
        C cells = next;
        const Places<F, T, false, true> at = at_next;
        r += s.ty;
        more = r < last;
        if (more) {
          at_next = places_of(r);
          next.fetch(a, at_next, 0, span);
        }
        uint64_t seed = 0;
        int64_t noise = 0;
        if constexpr (kNoise<F>) seed = at.seed, noise = at.noise;
        cells.run(a, at.slope, seed, noise, span, none);
        sums.add(cells.grad);
#pragma unroll
        for (int k = 0; k < F::kIn; ++k)
          if (a.view[kGradOf + k].data && !is_sum(a, k))
            C::P::write(a.view[kGradOf + k], at.grad[k], 0, span, cells.grad[k]);
      }
    }
    sums.flush();
    __syncthreads();
    // Thread (x, y) ends the sums y, y + ty, ... of its pack.
    for (int i = y; there && i < F::kIn * kPack; i += s.ty) {
      const int k = i / kPack, e = i % kPack;
      if (!is_sum(a, k)) continue;
      double total = 0;
      for (int t = 0; t < s.ty; ++t) total += part[i * kThreads + t * s.tx + x];
      if (a.splits > 1) {
        int target = 0;
        for (int before = 0; before < k; ++before) target += is_sum(a, before);
        a.sums[((target * a.splits + split) * s.kept_rows + row) * a.cols + j + e] = total;
      } else {
        const View& v = a.view[kGradOf + k];
        int64_t offset = (j + e) * v.step, left = row;
        for (int d = a.kept - 1; d >= 0; --d) {
          offset += left % a.sizes[d] * v.strides[d];
          left /= a.sizes[d];
        }
        store(v, offset, total);
      }
    }
  }
}

template <class F, class T>
void reduce_columns_on_cuda(const ReduceColumns& a, void* stream) {
  bool written[kSlots] = {};
  for (int k = 0; k < F::kIn; ++k)  // sums are written one by one
    written[kGradOf + k] = a.ndim && a.view[kGradOf + k].strides[a.ndim - 1] != 0;
  by_path<F, T>(path_of<F, T>(a, 4, 4, written), [&]<Path kPath>() {
    constexpr int kPack = kPath == Path::single ? 1 : 4;
    const ColumnShape s = column_shape(a, kPack);
    if (s.summed == 0) return;
    const cuda::Grid grid{grid_size(ceil_div(s.packs, s.tx)), static_cast<unsigned>(a.splits)};
    cuda::launch(columns_kernel<F, T, kPath, kPack>, grid, kThreads, 0, stream, a, s);
  });
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
