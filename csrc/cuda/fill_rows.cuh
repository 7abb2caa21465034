// How a density's row loops enter the table.
#pragma once

#include "../loops/cuda.cuh"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

template <class F, class T, Limit kLimit>
void fill_loops(CudaRowsFn (&loop)[static_cast<int>(Mode::count)]) {
  loop[static_cast<int>(Mode::value)] = rows_on_cuda<F, T, Mode::value, kLimit>;
  // A sample's gradient needs an incoming one, so it has no value and gradient in one pass.
  loop[static_cast<int>(Mode::value_grad)] = nullptr;
  if constexpr (!F::kNoise)
    loop[static_cast<int>(Mode::value_grad)] = rows_on_cuda<F, T, Mode::value_grad, kLimit>;
  loop[static_cast<int>(Mode::grad)] = rows_on_cuda<F, T, Mode::grad, kLimit>;
  loop[static_cast<int>(Mode::row_sums)] = rows_on_cuda<F, T, Mode::row_sums, kLimit>;
  loop[static_cast<int>(Mode::columns)] = columns_on_cuda<F, T, kLimit>;
}
// The row loops of density F.
template <class F, Limit kLimit = Limit::memory>
void fill(CudaKernels& k, Kernel kernel) {
  fill_loops<F, float, kLimit>(k.loop[static_cast<int>(kernel)][0]);
  fill_loops<F, double, kLimit>(k.loop[static_cast<int>(kernel)][1]);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
