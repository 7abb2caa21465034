#pragma once

#include "log_prob.h"

namespace pyvae {

// x, log_rate
PYVAE_LOG_PROB(poisson_log_prob, 2)

}  // namespace pyvae
