// The sums that end a reduction in several stages, each in a fixed order, and the scaling of
// gradients that are ready.
#pragma once

#include "rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// out[i] = the sum of `group` consecutive numbers; a team of `lanes` threads for each i.
template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_groups_kernel(const double* partial, int64_t count, int64_t group, int lanes, T* out) {
  const int lane = threadIdx.x & (lanes - 1);
  const int teams = blockDim.x / lanes, team = threadIdx.x / lanes;
  for (int64_t base = int64_t{blockIdx.x} * teams; base < count;
       base += int64_t{gridDim.x} * teams) {
    const int64_t i = base + team;
    double total = 0;
    for (int64_t j = lane; i < count && j < group; j += lanes) total += partial[i * group + j];
    total = team_sum(total, lanes);
    if (i < count && lane == 0) out[i] = static_cast<T>(total);
  }
}
inline void sum_groups(const double* partial, int64_t count, int64_t group, bool is_double,
                       void* out, void* stream) {
  const int lanes = group < 32 ? 1 : group < 1024 ? 32 : kThreads;
  const cuda::Grid grid{grid_size(ceil_div(count, kThreads / lanes))};
  if (is_double)
    cuda::launch(sum_groups_kernel<double>, grid, kThreads, 0, stream, partial, count, group, lanes,
                 static_cast<double*>(out));
  else
    cuda::launch(sum_groups_kernel<float>, grid, kThreads, 0, stream, partial, count, group, lanes,
                 static_cast<float*>(out));
}

// out[i] = sum over s of partial[s * count + i].
template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_splits_kernel(const T* partial, int64_t splits, int64_t count, T* out) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    T total = partial[i];
    for (int64_t s = 1; s < splits; ++s) total += partial[s * count + i];
    out[i] = total;
  }
}
inline void sum_splits(const double* partial, int64_t splits, int64_t count, double* out,
                       void* stream) {
  cuda::launch(sum_splits_kernel<double>, {grid_size(ceil_div(count, kThreads))}, kThreads, 0,
               stream, partial, splits, count, out);
}

// Rows of gradients that hold the factor `folded` already, for an incoming gradient of `weight`:
// where that is the same factor, a row is done without being read.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scale_rows_kernel(T* data, int64_t cols, const __grid_constant__ View weight, T folded,
                      const __grid_constant__ RowShape s) {
  const int lane = threadIdx.x & (s.lanes - 1);
  const int teams = blockDim.x / s.lanes, team = threadIdx.x / s.lanes;
  const int64_t step = int64_t{gridDim.x} * teams;
  for (int64_t item = int64_t{blockIdx.x} * teams + team; item < s.items; item += step) {
    const int64_t row = item / s.chunks, first = (item - row * s.chunks) * s.chunk;
    const T given = load<T>(weight, row * weight.strides[0]);
    if (given == folded) continue;
    const T factor = given / folded;
    const int64_t end = first + s.chunk < cols ? first + s.chunk : cols;
    for (int64_t j = first + lane; j < end; j += s.lanes) data[row * cols + j] *= factor;
  }
}
template <class T>
void scale_rows(T* data, int64_t rows, int64_t cols, const View& weight, double folded,
                void* stream) {
  Rows a;
  a.rows = rows, a.cols = cols;
  const RowShape s = row_shape(a, 1, false);
  const int threads = s.lanes > cuda::kWarp ? s.lanes : kThreads;
  cuda::launch(scale_rows_kernel<T>, {grid_size(ceil_div(s.items, threads / s.lanes))}, threads, 0,
               stream, data, cols, weight, static_cast<T>(folded), s);
}
inline void scale_rows(void* data, bool is_double, int64_t rows, int64_t cols, const View& weight,
                       double folded, void* stream) {
  if (is_double)
    scale_rows(static_cast<double*>(data), rows, cols, weight, folded, stream);
  else
    scale_rows(static_cast<float*>(data), rows, cols, weight, folded, stream);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
