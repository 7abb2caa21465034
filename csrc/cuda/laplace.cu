#include "../math/laplace.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_laplace(CudaKernels& k) { fill<LaplaceLogProb>(k, Kernel::laplace_log_prob); }

}  // namespace PYVAE_ISA
}  // namespace pyvae
