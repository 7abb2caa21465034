// The scaling of gradients that are ready.
#pragma once

#include "../scale.h"
#include "rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// How each gradient is laid over teams, which are alike for all of them.
struct ScaleShape {
  RowShape part[kMaxIn];
  int64_t items = 0;
  int lanes = 1;
};
inline ScaleShape scale_shape(const Scale& a) {
  ScaleShape s;
  for (int k = 0; k < a.count; ++k) {
    Rows r;
    r.rows = a.rows, r.cols = a.part[k].cols;
    s.part[k] = row_shape(r, 1, false);
    s.items += s.part[k].items;
    if (s.part[k].lanes > s.lanes) s.lanes = s.part[k].lanes;
  }
  return s;
}

// A row that holds what is asked for is done without being read.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scale_kernel(const __grid_constant__ Scale a, const __grid_constant__ ScaleShape s) {
  const int lane = threadIdx.x & (s.lanes - 1);
  const int teams = blockDim.x / s.lanes, team = threadIdx.x / s.lanes;
  const int64_t step = int64_t{gridDim.x} * teams;
  for (int64_t place = int64_t{blockIdx.x} * teams + team; place < s.items; place += step) {
    int k = 0;
    int64_t item = place;
#pragma unroll 1
    while (item >= s.part[k].items) item -= s.part[k++].items;
    const RowShape& shape = s.part[k];
    const int64_t row = item / shape.chunks, first = (item - row * shape.chunks) * shape.chunk;
    const T given = load<T>(a.weight, row * a.weight.strides[0]), folded = static_cast<T>(a.folded);
    if (given == folded) continue;
    const T factor = given / folded;
    const int64_t cols = a.part[k].cols;
    const int64_t end = first + shape.chunk < cols ? first + shape.chunk : cols;
    T* const data = static_cast<T*>(a.part[k].data) + row * cols;
    for (int64_t j = first + lane; j < end; j += s.lanes) data[j] *= factor;
  }
}
inline void run_scale(const Scale& a, void* stream) {
  const ScaleShape s = scale_shape(a);
  const int threads = s.lanes > cuda::kWarp ? s.lanes : kThreads;
  cuda::launch(a.is_double ? scale_kernel<double> : scale_kernel<float>,
               {grid_size(ceil_div(s.items, threads / s.lanes))}, threads, 0, stream, a, s);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
