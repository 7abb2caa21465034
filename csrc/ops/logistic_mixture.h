#pragma once

#include <tuple>

#include "check.h"

namespace pyvae {

Tensor discretized_logistic_mixture_log_prob(const Tensor& x, const Tensor& params,
                                             int64_t num_mixtures, int64_t batch_ndim);
std::tuple<Tensor, Tensor> discretized_logistic_mixture_log_prob_backward(
    const Optional& grad, const Tensor& x, const Tensor& params, int64_t num_mixtures,
    int64_t batch_ndim, Masks<2> mask);
std::tuple<Tensor, Tensor, Tensor> discretized_logistic_mixture_log_prob_value_grad(
    const Tensor& x, const Tensor& params, int64_t num_mixtures, int64_t batch_ndim, Masks<2> mask);

// Whether value and gradient can come in one pass: there is one image of parameters for each value.
bool logistic_mixture_one_pass(const Tensor& x, const Tensor& params, Masks<2> mask);
// The gradient again in its memory, `made` for the incoming gradient `folded`: images that have
// that one may be left alone.
void logistic_mixture_refill(const Tensor& grad, const Tensor& x, const Tensor& params,
                             int64_t num_mixtures, int64_t batch_ndim, double folded,
                             const Tensor& made);

}  // namespace pyvae
