#include "../math/mmd.h"

#include "../loops/cuda/pairs_discrepancy.cuh"
#include "../task.h"

namespace pyvae {
inline namespace PYVAE_ISA {
namespace {

template <class K, class T>
void value_task(const Discrepancy& a, int64_t, void* stream) {
  cuda::launch(discrepancy_value_kernel<K, Apart, T>,
               {static_cast<unsigned>(discrepancy_items(a)), static_cast<unsigned>(a.parts)},
               kTeamThreads, sizeof(PairTiles<Apart, T>), stream, a);
}

template <class K, class T>
void gradient_task(const Discrepancy& a, int64_t, void* stream) {
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

}  // namespace
}  // namespace PYVAE_ISA
}  // namespace pyvae

#define PYVAE_MMD_TASK(name, K, task)                                                              \
  PYVAE_CUDA_TASK(name, Discrepancy, task<K, float>, task<K, double>)

PYVAE_MMD_TASK(mmd_rbf, Rbf, value_task)
PYVAE_MMD_TASK(mmd_rbf_gradient, Rbf, gradient_task)
PYVAE_MMD_TASK(mmd_imq, Imq, value_task)
PYVAE_MMD_TASK(mmd_imq_gradient, Imq, gradient_task)
