#pragma once

#include <tuple>

#include "check.h"

namespace pyvae {

Tensor categorical_log_prob(const Tensor& x, const Tensor& logits, int64_t batch_ndim);
std::tuple<Tensor, Tensor> categorical_log_prob_backward(const Optional& grad, const Tensor& x,
                                                         const Tensor& logits, int64_t batch_ndim,
                                                         Masks<2> mask);
// The gradient is times -1 / rows.
template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor> categorical_log_prob_value_grad(const Tensor& x,
                                                                   const Tensor& logits,
                                                                   int64_t batch_ndim,
                                                                   Masks<2> mask);
// Whether that can give the gradient of these logits.
bool categorical_one_pass(const Tensor& x, const Tensor& logits, int64_t batch_ndim);
// The gradient again in its memory, `made` for the incoming gradient `folded`: positions that have
// that one may be left alone.
void categorical_refill(const Tensor& grad, const Tensor& x, const Tensor& logits,
                        int64_t batch_ndim, double folded, const Tensor& made);

}  // namespace pyvae
