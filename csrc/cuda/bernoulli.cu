#include "../math/bernoulli.h"

#include "fill_rows.cuh"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_bernoulli(CudaKernels& k) { fill<BernoulliLogProb>(k, Kernel::bernoulli_log_prob); }

}  // namespace PYVAE_ISA
}  // namespace pyvae
