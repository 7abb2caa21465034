// Sum columns over rows: the gradients of broadcast operands and, where wanted, the values of the
// rows with them. A thread has a few neighbouring columns of a kept row and every ty-th of the rows
// that are summed; the block adds them up.
#pragma once

#include "column_walk.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

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

// A part of a row's value, of all lanes of a group that have one.
template <class T>
__device__ __forceinline__ T group_sum(T value, int lanes) {
  for (int step = lanes / 2; step; step /= 2)
    value += __shfl_xor_sync(cuda::kFullMask, value, step);
  return value;
}

// Where row `row` of the dimensions [0, ndim) begins in a view.
__device__ __forceinline__ int64_t row_offset(const Rows& a, const View& v, int64_t row, int ndim) {
  int64_t offset = 0;
  for (int d = ndim - 1; d >= 0; --d) {
    const int64_t outer = quotient(row, a.sizes[d]);
    offset += (row - outer * a.sizes[d]) * v.strides[d];
    row = outer;
  }
  return offset;
}

// Whether the sums were made for the incoming gradients of all rows. Every block looks at all of
// them, and finds the same.
template <class T>
__device__ __forceinline__ bool all_ready(const ReduceColumns& a) {
  const View& v = a.view[kGradValue];
  int others = 0;
  for (int64_t r = threadIdx.x; r < a.rows && !others; r += kThreads)
    others = !is_ready<T>(v, a.ready, row_offset(a, v, r, a.ndim));
  return cuda::block_max<kThreads>(others) == 0;
}

// Blocks that a multiprocessor should hold: as many as their registers allow without spilling.
template <class F, class T>
constexpr int kColumnBlocks = sizeof(T) == 4 && !(kNoise<F> && F::kIn > 2) ? 2 : 1;

template <class F, class T, Path kPath, int kPack>
__global__ void __launch_bounds__(kThreads, kColumnBlocks<F, T>)
    columns_kernel(const __grid_constant__ ReduceColumns a, const __grid_constant__ ColumnShape s) {
  constexpr bool kValue = F::kSum && !kNoise<F>;
  using C = ColumnCells<F, T, kPath, kPack, kValue>;
  if constexpr (kValue) {
    if (a.ready == a.ready) {
      const bool ready = all_ready<T>(a);
      if (a.done && threadIdx.x + blockIdx.x + blockIdx.y == 0) *a.done = ready;
      if (ready) return;
    }
  }
  const int x = threadIdx.x & (s.tx - 1), y = threadIdx.x / s.tx;
  const int64_t split = blockIdx.y, first = split * s.per_split;
  const int64_t end = first + s.per_split, last = end < s.summed ? end : s.summed;
  double* const part = cuda::shared_memory<double>();
  for (int64_t base = int64_t{blockIdx.x} * s.tx; base < s.packs;
       base += int64_t{gridDim.x} * s.tx) {
    const int64_t pack = base + x;
    const bool there = pack < s.packs;
    const int64_t row = there ? quotient(pack, s.packs_per_row) : 0;
    const int64_t j = (pack - row * s.packs_per_row) * kPack;
    const Span span{0, a.cols - j < kPack ? static_cast<int>(a.cols - j) : kPack};
    const auto go = [&](auto& to, int64_t summed) {
      Offsets<F, kValue, true> at;
      at.move_row(a, row, 0, a.kept);
      at.move_row(a, summed, a.kept, a.ndim);
      to.go(a, at, j);
    };
    __syncthreads();  // all have read the sums of the last packs
    ColumnSums<F::kIn, T, kPack> sums(part);
    ColumnReads<F> from;
    ColumnWrites<F> to;
    C next;  // fetched ahead, where there are registers for it
    int64_t r = first + y;
    bool here = there && r < last;
    int left = 0;  // rows of the run from r on, as far as an int goes
    if (here) {
      left = rows_left(s, r), go(from, r), go(to, r);
      if constexpr (!F::kHeavy) next.fetch(a, from, span);
    }
    // The threads of a warp go round together: values are their sums.
    const int rounds = static_cast<int>(quotient(last - first + s.ty - 1, s.ty));
#pragma unroll 1
    for (int i = 0; i < rounds; ++i, r += s.ty) {
      Tally<F, T> tally;
      const bool own = here;
      if (here) {
        if constexpr (F::kHeavy) next.fetch(a, from, span);
        C row_cells = next;
        here = r + s.ty < last;
        left -= s.ty;
        const bool jump = left <= 0;
        if (here) {
          if (jump)
            left = rows_left(s, r + s.ty), go(from, r + s.ty);
          else
            from.step(s);
          if constexpr (!F::kHeavy) next.fetch(a, from, span);
        }
        auto& cells = row_cells.cells;
        cells.run(a, row_cells.slope, row_cells.seed, row_cells.noise, span, tally);
        sums.add(cells.grad);
#pragma unroll
        for (int k = 0; k < F::kIn; ++k)
          if (to.grad[k]) C::P::write(a.view[kGradOf + k], to.grad[k], 0, span, cells.grad[k]);
        if (here) {
          if (jump)
            go(to, r + s.ty);
          else
            to.step(s);
        }
      }
      if (kValue && a.values) {
        constexpr int kGroup = kColumnSegment / kPack;  // lanes of a segment
        const int lanes = s.tx < kGroup ? s.tx : kGroup;
        const T value = group_sum(own ? tally.total() : T(0), lanes);
        if (own && (x & (lanes - 1)) == 0)
          a.values[r * s.segments + j / kColumnSegment] = static_cast<double>(value);
      }
    }
    sums.flush();
    __syncthreads();
    // Thread (x, y) ends the sums y, y + ty, ... of its pack.
    for (int i = y; there && i < F::kIn * kPack; i += s.ty) {
      const int k = i / kPack, e = i % kPack;
      if (!is_sum(a, k) || e >= span.hi) continue;
      double total = 0;
      for (int t = 0; t < s.ty; ++t) total += part[i * kThreads + t * s.tx + x];
      if (a.splits > 1) {
        int target = 0;
        for (int before = 0; before < k; ++before) target += is_sum(a, before);
        a.sums[((target * a.splits + split) * s.kept_rows + row) * a.cols + j + e] = total;
      } else {
        const View& v = a.view[kGradOf + k];
        store(v, row_offset(a, v, row, a.kept) + (j + e) * v.step, total);
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
    constexpr int kPack = kPath == Path::single && (F::kHeavy || kNoise<F>) ? 1 : 4;
    const ColumnShape s = column_shape(a, kPack);
    if (s.summed == 0) return;
    const cuda::Grid grid{grid_size(ceil_div(s.packs, s.tx)), static_cast<unsigned>(a.splits)};
    constexpr size_t kPart = F::kIn * kPack * kThreads * sizeof(double);
    cuda::launch(columns_kernel<F, T, kPath, kPack>, grid, kThreads, kPart, stream, a, s);
  });
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
