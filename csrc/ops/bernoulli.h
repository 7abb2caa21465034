#pragma once

#include "gaussian.h"

namespace pyvae {

extern const RowOp kBernoulliLogProb;

Tensor bernoulli_log_prob(const Tensor& x, const Tensor& logits, int64_t batch_ndim);
std::tuple<Tensor, Tensor> bernoulli_log_prob_backward(const Optional& grad, const Tensor& x,
                                                       const Tensor& logits, int64_t batch_ndim,
                                                       Masks<2> mask);
template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor> bernoulli_log_prob_value_grad(const Tensor& x,
                                                                 const Tensor& logits,
                                                                 int64_t batch_ndim, Masks<2> mask);

}  // namespace pyvae
