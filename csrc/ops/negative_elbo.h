#pragma once

#include <tuple>

#include "row_op.h"

namespace pyvae {

// beta KL - log p(x|z), of the means over all that is given, and its terms: ELBO, log-likelihood
// and KL. Beta is a scalar tensor; none is the number `weight`.
std::tuple<Tensor, Tensor> negative_elbo(const Tensor& log_prob, const Tensor& kl,
                                         const Optional& beta, double weight);
std::tuple<Tensor, Tensor, Tensor> negative_elbo_backward(const Optional& grad_loss,
                                                          const Optional& grad_terms,
                                                          const Tensor& log_prob, const Tensor& kl,
                                                          const Optional& beta, double weight,
                                                          Masks<3> mask);
// Both results, and the gradients that a loss with the incoming gradient 1 asks for.
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> negative_elbo_value_grad(
    const Tensor& log_prob, const Tensor& kl, const Optional& beta, double weight, Masks<3> mask);
// Whether they can come with the value: not that of beta, nor of 16 bits.
bool negative_elbo_one_pass(const Tensor& log_prob, const Tensor& kl, const Mask& mask);

}  // namespace pyvae
