#pragma once

#include "log_prob.h"

namespace pyvae {

// x (uint8 levels, or floats from -1 to 1), mean, log_scale
PYVAE_LOG_PROB(discretized_logistic_log_prob, 3)

}  // namespace pyvae
