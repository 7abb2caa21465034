#include "../math/mmd.h"

#include "../loops/cuda/pairs_discrepancy.cuh"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {
namespace {

template <class K, class T>
void value_task(const void* arguments, int64_t, void* stream) {
  const Discrepancy& a = *static_cast<const Discrepancy*>(arguments);
  cuda::launch(discrepancy_value_kernel<K, Apart, T>,
               {static_cast<unsigned>(discrepancy_items(a)), static_cast<unsigned>(a.parts)},
               kTeamThreads, sizeof(PairTiles<Apart, T>), stream, a);
}

template <class K, class T>
void gradient_task(const void* arguments, int64_t, void* stream) {
  const Discrepancy& a = *static_cast<const Discrepancy*>(arguments);
  const int64_t tiles =
      tiles_of(a.rows[0], kTeamOwners) + (a.grad[1].data ? tiles_of(a.rows[1], kTeamOwners) : 0);
  cuda::launch(discrepancy_gradient_kernel<K, Apart, T>,
               {static_cast<unsigned>(tiles), static_cast<unsigned>(a.parts),
                static_cast<unsigned>(tiles_of(a.columns, kPairSpan<T>))},
               kTeamThreads, sizeof(PairTiles<Apart, T>), stream, a);
  if (a.parts > 1)
    cuda::launch(join_discrepancy_kernel<T>,
                 {static_cast<unsigned>(tiles_of(pulled_rows(a) * a.columns, kTeamThreads))},
                 kTeamThreads, 0, stream, a);
}

template <class K>
void fill_kernel(CudaKernels& k, Task value, Task gradient) {
  fill(k, value, value_task<K, float>, value_task<K, double>);
  fill(k, gradient, gradient_task<K, float>, gradient_task<K, double>);
}

}  // namespace

void fill_mmd(CudaKernels& k) {
  fill_kernel<Rbf>(k, Task::mmd_rbf, Task::mmd_rbf_gradient);
  fill_kernel<Imq>(k, Task::mmd_imq, Task::mmd_imq_gradient);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
