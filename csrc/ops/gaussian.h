#pragma once

#include <tuple>

#include "row_op.h"

namespace pyvae {

using Optional = std::optional<Tensor>;
template <size_t n>
using Masks = std::array<bool, n>;

// Value and gradients in one pass. kInplace: the gradient of argument 1 takes its storage.
#define PYVAE_INSTANTIATE(function)                                                                \
  template decltype(function<false>) function<false>;                                              \
  template decltype(function<true>) function<true>;

extern const RowOp kGaussianLogProb, kGaussianKl, kGaussianKlStandard;

Tensor gaussian_log_prob(const Tensor& x, const Tensor& mean, const Tensor& logvar,
                         int64_t batch_ndim);
std::tuple<Tensor, Tensor, Tensor> gaussian_log_prob_backward(const Optional& grad, const Tensor& x,
                                                              const Tensor& mean,
                                                              const Tensor& logvar,
                                                              int64_t batch_ndim, Masks<3> mask);

template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor, Tensor> gaussian_log_prob_value_grad(
    const Tensor& x, const Tensor& mean, const Tensor& logvar, int64_t batch_ndim, Masks<3> mask);

Tensor gaussian_kl(const Tensor& mean, const Tensor& logvar, const Optional& prior_mean,
                   const Optional& prior_logvar, int64_t batch_ndim);
std::tuple<Tensor, Tensor, Tensor, Tensor> gaussian_kl_backward(
    const Optional& grad, const Tensor& mean, const Tensor& logvar, const Optional& prior_mean,
    const Optional& prior_logvar, int64_t batch_ndim, Masks<4> mask);

Tensor gaussian_rsample(const Tensor& mean, const Tensor& logvar, const Tensor& seed,
                        c10::SymIntArrayRef shape);
std::tuple<Tensor, Tensor, Tensor> gaussian_rsample_backward(
    const Optional& grad_z, const Tensor& mean, const Tensor& logvar, const Tensor& seed,
    c10::SymIntArrayRef shape, Masks<3> mask);

std::tuple<Tensor, Tensor> gaussian_rsample_kl(const Tensor& mean, const Tensor& logvar,
                                               const Tensor& seed, int64_t batch_ndim);
std::tuple<Tensor, Tensor, Tensor> gaussian_rsample_kl_backward(
    const Optional& grad_z, const Optional& grad_kl, const Tensor& mean, const Tensor& logvar,
    const Tensor& seed, int64_t batch_ndim, Masks<3> mask);

std::tuple<Tensor, Tensor> gaussian_rsample_log_ratio(const Tensor& mean, const Tensor& logvar,
                                                      const Optional& prior_mean,
                                                      const Optional& prior_logvar,
                                                      const Tensor& seed, c10::SymInt num_samples,
                                                      bool path_derivative, int64_t batch_ndim);
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_rsample_log_ratio_backward(
    const Optional& grad_z, const Optional& grad_log_ratio, const Tensor& mean,
    const Tensor& logvar, const Optional& prior_mean, const Optional& prior_logvar,
    const Tensor& seed, c10::SymInt num_samples, bool path_derivative, int64_t batch_ndim,
    Masks<5> mask);

}  // namespace pyvae
