#pragma once

#include <tuple>

#include "check.h"

namespace pyvae {

// log sum_k w_k N(z; m_k, exp(logvar_k)) of whole points (*batch,), or of each dimension (*batch,
// d). log_weights (K,) or (*batch, K); none is uniform, -log K.
Tensor gaussian_mixture_log_prob(const Tensor& z, const Tensor& means, const Tensor& logvars,
                                 const Optional& log_weights, bool per_dimension);
std::tuple<Tensor, Tensor, Tensor, Tensor> gaussian_mixture_log_prob_backward(
    const Optional& grad, const Tensor& z, const Tensor& means, const Tensor& logvars,
    const Optional& log_weights, bool per_dimension, Masks<4> mask);
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_mixture_log_prob_value_grad(
    const Tensor& z, const Tensor& means, const Tensor& logvars, const Optional& log_weights,
    bool per_dimension, Masks<4> mask);

// Whether values and gradients come together: of whole points (B, d).
bool gaussian_mixture_one_pass(const Tensor& z, const Tensor& means, const Tensor& logvars,
                               const Optional& log_weights, bool per_dimension, Masks<4> mask);

}  // namespace pyvae
