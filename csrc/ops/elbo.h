#pragma once

#include <tuple>

#include "row_op.h"

namespace pyvae {

// Whether the gradients of either loss can come with its value; `mask` for all its arguments.
bool elbo_one_pass(const Operands& likelihood, const Operands& latent, int64_t reduction,
                   const Mask& mask);

// Gradients of 16 bits that came with the value for an incoming gradient of 1, made again where it
// is another one: those of the likelihood's operands, of mean and of logvar.
void elbo_refill(const Tensor& grad, const Operands& likelihood, const Operands& latent,
                 const Optional& beta, int64_t reduction, const Grads& made);

// beta KL - log p(x|z), reduced over the batch: 0 none, 1 mean, 2 sum. Beta is a scalar tensor;
// none is 1.
Tensor bernoulli_elbo_loss(const Tensor& x, const Tensor& logits, const Tensor& mean,
                           const Tensor& logvar, const Optional& beta, int64_t reduction);
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> bernoulli_elbo_loss_backward(
    const Optional& grad, const Tensor& x, const Tensor& logits, const Tensor& mean,
    const Tensor& logvar, const Optional& beta, int64_t reduction, Masks<5> mask);
template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> bernoulli_elbo_loss_value_grad(
    const Tensor& x, const Tensor& logits, const Tensor& mean, const Tensor& logvar,
    const Optional& beta, int64_t reduction, Masks<5> mask);

Tensor gaussian_elbo_loss(const Tensor& x, const Tensor& decoded_mean, const Tensor& decoded_logvar,
                          const Tensor& mean, const Tensor& logvar, const Optional& beta,
                          int64_t reduction);
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_elbo_loss_backward(
    const Optional& grad, const Tensor& x, const Tensor& decoded_mean, const Tensor& decoded_logvar,
    const Tensor& mean, const Tensor& logvar, const Optional& beta, int64_t reduction,
    Masks<6> mask);
template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_elbo_loss_value_grad(
    const Tensor& x, const Tensor& decoded_mean, const Tensor& decoded_logvar, const Tensor& mean,
    const Tensor& logvar, const Optional& beta, int64_t reduction, Masks<6> mask);

}  // namespace pyvae
