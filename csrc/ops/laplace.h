#pragma once

#include "log_prob.h"

namespace pyvae {

// x, mean, log_scale
PYVAE_LOG_PROB(laplace_log_prob, 3)

}  // namespace pyvae
