// The names that ops and devices share. No torch: kernels are compiled without it.
#pragma once

namespace pyvae {

// The densities of the row loop. One line here and one where a device lists its kernels adds one.
enum class Kernel : int {
  gaussian_log_prob,
  bernoulli_log_prob,
  continuous_bernoulli_log_prob,
  laplace_log_prob,
  discretized_logistic_levels,
  discretized_logistic_scaled,
  poisson_log_prob,
  poisson_log_prob_of_data,
  negative_binomial_log_prob,
  negative_binomial_log_prob_of_data,
  zero_inflated_negative_binomial_log_prob,
  zero_inflated_negative_binomial_log_prob_of_data,
  gaussian_kl_standard,
  gaussian_kl,
  gaussian_rsample,
  gaussian_rsample_kl,
  gaussian_log_ratio_standard,
  gaussian_log_ratio_standard_path,
  gaussian_log_ratio,
  gaussian_log_ratio_path,
  count
};

// Loops of another kind than rows, each with arguments and items of its own.
enum class Task : int {
  rank1_gaussian_rsample_kl,
  rank1_gaussian_rsample_kl_backward,
  grey_logistic_mixture,
  colour_logistic_mixture,
  mixture_value,
  mixture_points,
  mixture_components,
  mixture_log_weights,
  mixture_few_weights,
  mixture_few_pulls,
  mixture_few_points,
  mmd_rbf,
  mmd_rbf_gradient,
  mmd_imq,
  mmd_imq_gradient,
  categorical_log_prob,
  count
};

}  // namespace pyvae
