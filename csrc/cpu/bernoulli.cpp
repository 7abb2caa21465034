#include "../math/bernoulli.h"

#include "fill.h"

namespace pyvae {
inline namespace PYVAE_ISA {

void fill_bernoulli(CpuKernels& k) { fill<BernoulliLogProb>(k, Kernel::bernoulli_log_prob); }

}  // namespace PYVAE_ISA
}  // namespace pyvae
