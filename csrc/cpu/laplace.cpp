#include "../math/laplace.h"

#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_laplace(CpuKernels& k) { fill<LaplaceLogProb>(k, Kernel::laplace_log_prob); }

}  // namespace PYVAE_ISA
}  // namespace pyvae
