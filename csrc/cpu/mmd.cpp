#include "../math/mmd.h"

#include "../loops/pairs_discrepancy.h"
#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {
namespace {

template <class K>
void fill_kernel(CpuKernels& k, Task value, Task gradient) {
  fill(k, value, discrepancy_value<K, Apart, float>, discrepancy_value<K, Apart, double>);
  fill(k, gradient, discrepancy_gradient<K, Apart, float>, discrepancy_gradient<K, Apart, double>);
}

}  // namespace

void fill_mmd(CpuKernels& k) {
  fill_kernel<Rbf>(k, Task::mmd_rbf, Task::mmd_rbf_gradient);
  fill_kernel<Imq>(k, Task::mmd_imq, Task::mmd_imq_gradient);
}

}  // namespace PYVAE_ISA
}  // namespace pyvae
