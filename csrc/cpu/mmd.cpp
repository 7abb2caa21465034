#include "../math/mmd.h"

#include "../loops/pairs_discrepancy.h"
#include "../task.h"

#define PYVAE_MMD_TASK(name, K, loop)                                                              \
  PYVAE_CPU_TASK(name, Discrepancy, loop<K, Apart, float>, loop<K, Apart, double>)

PYVAE_MMD_TASK(mmd_rbf, Rbf, discrepancy_value)
PYVAE_MMD_TASK(mmd_rbf_gradient, Rbf, discrepancy_gradient)
PYVAE_MMD_TASK(mmd_imq, Imq, discrepancy_value)
PYVAE_MMD_TASK(mmd_imq_gradient, Imq, discrepancy_gradient)
