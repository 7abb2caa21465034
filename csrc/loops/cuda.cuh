// The passes over rows on CUDA (rows.h). They know no density and no torch.
#pragma once

#include "../plugin.h"
#include "cuda/columns.cuh"
#include "cuda/rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

// The kernels of density F; none of None.
template <class F>
constexpr CudaKernels cuda_kernels() {
  CudaKernels k;
  if constexpr (!__is_same(F, None)) {
    const auto fill = [&]<class T>(T, int type) {
      k.map[type][static_cast<int>(Want::value)] = map_on_cuda<F, T, Want::value>;
      k.map[type][static_cast<int>(Want::grad)] = map_on_cuda<F, T, Want::grad>;
      // A sample's gradient needs an incoming one, so it has no value and gradient in one pass.
      if constexpr (!kNoise<F>)
        k.map[type][static_cast<int>(Want::both)] = map_on_cuda<F, T, Want::both>;
      k.reduce_columns[type][false] = reduce_columns_on_cuda<F, T>;
      if constexpr (!kNoise<F>) k.reduce_columns[type][true] = reduce_columns_on_cuda<F, T>;
      k.segment[type] = kColumnSegment;
      k.reduce_rows[type] = reduce_rows_on_cuda<F, T>;
    };
    fill(float(), 0), fill(double(), 1);
  }
  return k;
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
