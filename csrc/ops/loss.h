// A loss put together from the values of the rows of a batch.
#pragma once

#include "check.h"

namespace pyvae {

// That beta is a scalar on the device of `like`, which the op calls by this name.
void check_beta(const char* op, const Optional& beta, const Tensor& like, const char* name);

// The pass over values that are contiguous, float or double, each term the sum of its own.
Loss loss_of(const Tensor& log_prob, const Tensor& kl, const Optional& beta);

// The sum of floats or doubles: on the host in one fixed order, whatever the number of threads.
Tensor total(const Tensor& t);

}  // namespace pyvae
