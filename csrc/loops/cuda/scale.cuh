// The scaling of gradients that are ready.
#pragma once

#include "rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

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
inline void run_scale_rows(void* data, bool is_double, int64_t rows, int64_t cols,
                           const View& weight, double folded, void* stream) {
  if (is_double)
    scale_rows(static_cast<double*>(data), rows, cols, weight, folded, stream);
  else
    scale_rows(static_cast<float*>(data), rows, cols, weight, folded, stream);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
