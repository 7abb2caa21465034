// Table of contents: every op, its schema and its functions.
//
// An op `name` has a gradient `name_backward(incoming gradients, arguments, mask)`, which returns
// one gradient for each tensor argument, and a differentiable specification `name_reference` that
// Python supplies. Some have `_name_value_grad(arguments, mask)`, value and gradients in one pass.
#pragma once

#include "bernoulli.h"
#include "continuous_bernoulli.h"
#include "discretized_logistic.h"
#include "categorical.h"
#include "elbo.h"
#include "gaussian.h"
#include "rank1.h"
#include "laplace.h"
#include "negative_binomial.h"
#include "poisson.h"
#include "logistic_mixture.h"
#include "gaussian_mixture.h"
#include "mmd.h"

// X(name, schema of the arguments, schema of the results, masked gradients)
#define PYVAE_OPS(X)                                                                               \
  X(gaussian_rsample, "Tensor mean, Tensor logvar, Tensor seed, SymInt[] shape", "Tensor",         \
    "Tensor? grad_z", "bool[3] mask", "(Tensor, Tensor, Tensor)")                                  \
  X(gaussian_kl,                                                                                   \
    "Tensor mean, Tensor logvar, Tensor? prior_mean=None, Tensor? prior_logvar=None, "             \
    "int batch_ndim=1",                                                                            \
    "Tensor", "Tensor? grad", "bool[4] mask", "(Tensor, Tensor, Tensor, Tensor)")                  \
  X(gaussian_rsample_kl, "Tensor mean, Tensor logvar, Tensor seed, int batch_ndim=1",              \
    "(Tensor, Tensor)", "Tensor? grad_z, Tensor? grad_kl", "bool[3] mask",                         \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(rank1_gaussian_rsample_kl,                                                                     \
    "Tensor mean, Tensor log_precision, Tensor u, Tensor seed, int batch_ndim=1",                  \
    "(Tensor, Tensor)", "Tensor? grad_z, Tensor? grad_kl", "bool[4] mask",                         \
    "(Tensor, Tensor, Tensor, Tensor)")                                                            \
  X(gaussian_rsample_log_ratio,                                                                    \
    "Tensor mean, Tensor logvar, Tensor? prior_mean, Tensor? prior_logvar, Tensor seed, "          \
    "SymInt num_samples, bool path_derivative, int batch_ndim=1",                                  \
    "(Tensor, Tensor)", "Tensor? grad_z, Tensor? grad_log_ratio", "bool[5] mask",                  \
    "(Tensor, Tensor, Tensor, Tensor, Tensor)")                                                    \
  X(gaussian_log_prob, "Tensor x, Tensor mean, Tensor logvar, int batch_ndim=1", "Tensor",         \
    "Tensor? grad", "bool[3] mask", "(Tensor, Tensor, Tensor)")                                    \
  X(bernoulli_log_prob, "Tensor x, Tensor logits, int batch_ndim=1", "Tensor", "Tensor? grad",     \
    "bool[2] mask", "(Tensor, Tensor)")                                                            \
  X(continuous_bernoulli_log_prob, "Tensor x, Tensor logits, int batch_ndim=1", "Tensor",          \
    "Tensor? grad", "bool[2] mask", "(Tensor, Tensor)")                                            \
  X(laplace_log_prob, "Tensor x, Tensor mean, Tensor log_scale, int batch_ndim=1", "Tensor",       \
    "Tensor? grad", "bool[3] mask", "(Tensor, Tensor, Tensor)")                                    \
  X(discretized_logistic_log_prob, "Tensor x, Tensor mean, Tensor log_scale, int batch_ndim=1",    \
    "Tensor", "Tensor? grad", "bool[3] mask", "(Tensor, Tensor, Tensor)")                          \
  X(poisson_log_prob, "Tensor x, Tensor log_rate, int batch_ndim=1", "Tensor", "Tensor? grad",     \
    "bool[2] mask", "(Tensor, Tensor)")                                                            \
  X(negative_binomial_log_prob,                                                                    \
    "Tensor x, Tensor mean, Tensor inverse_dispersion, int batch_ndim=1", "Tensor",                \
    "Tensor? grad", "bool[3] mask", "(Tensor, Tensor, Tensor)")                                    \
  X(zero_inflated_negative_binomial_log_prob,                                                      \
    "Tensor x, Tensor mean, Tensor inverse_dispersion, Tensor zi_logits, int batch_ndim=1",        \
    "Tensor", "Tensor? grad", "bool[4] mask", "(Tensor, Tensor, Tensor, Tensor)")                  \
  X(discretized_logistic_mixture_log_prob,                                                         \
    "Tensor x, Tensor params, int num_mixtures, int batch_ndim=1", "Tensor", "Tensor? grad",       \
    "bool[2] mask", "(Tensor, Tensor)")                                                            \
  X(gaussian_mixture_log_prob,                                                                     \
    "Tensor z, Tensor means, Tensor logvars, Tensor? log_weights=None, bool per_dimension=False",  \
    "Tensor", "Tensor? grad", "bool[4] mask", "(Tensor, Tensor, Tensor, Tensor)")                  \
  X(mmd, "Tensor x, Tensor y, Tensor scales, bool imq=False, bool unbiased=False", "Tensor",       \
    "Tensor? grad", "bool[3] mask", "(Tensor, Tensor, Tensor)")                                    \
  X(categorical_log_prob, "Tensor x, Tensor logits, int batch_ndim=1", "Tensor", "Tensor? grad",   \
    "bool[2] mask", "(Tensor, Tensor)")                                                            \
  X(bernoulli_elbo_loss,                                                                           \
    "Tensor x, Tensor logits, Tensor mean, Tensor logvar, Tensor? beta, int reduction", "Tensor",  \
    "Tensor? grad", "bool[5] mask", "(Tensor, Tensor, Tensor, Tensor, Tensor)")                    \
  X(gaussian_elbo_loss,                                                                            \
    "Tensor x, Tensor decoded_mean, Tensor decoded_logvar, Tensor mean, Tensor logvar, "           \
    "Tensor? beta, int reduction",                                                                 \
    "Tensor", "Tensor? grad", "bool[6] mask", "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)")

// The gradients of a loss are those of the loss; those of a log-probability are times -1 / rows.
// X(name, schema of the arguments with the mask, schema of value and gradients)
#define PYVAE_ONE_PASS_OPS(X)                                                                      \
  X(bernoulli_log_prob, "Tensor x, Tensor logits, int batch_ndim, bool[2] mask",                   \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(gaussian_log_prob, "Tensor x, Tensor mean, Tensor logvar, int batch_ndim, bool[3] mask",       \
    "(Tensor, Tensor, Tensor, Tensor)")                                                            \
  X(continuous_bernoulli_log_prob, "Tensor x, Tensor logits, int batch_ndim, bool[2] mask",        \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(laplace_log_prob, "Tensor x, Tensor mean, Tensor log_scale, int batch_ndim, bool[3] mask",     \
    "(Tensor, Tensor, Tensor, Tensor)")                                                            \
  X(discretized_logistic_log_prob,                                                                 \
    "Tensor x, Tensor mean, Tensor log_scale, int batch_ndim, bool[3] mask",                       \
    "(Tensor, Tensor, Tensor, Tensor)")                                                            \
  X(poisson_log_prob, "Tensor x, Tensor log_rate, int batch_ndim, bool[2] mask",                   \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(negative_binomial_log_prob,                                                                    \
    "Tensor x, Tensor mean, Tensor inverse_dispersion, int batch_ndim, bool[3] mask",              \
    "(Tensor, Tensor, Tensor, Tensor)")                                                            \
  X(zero_inflated_negative_binomial_log_prob,                                                      \
    "Tensor x, Tensor mean, Tensor inverse_dispersion, Tensor zi_logits, int batch_ndim, "         \
    "bool[4] mask",                                                                                \
    "(Tensor, Tensor, Tensor, Tensor, Tensor)")                                                    \
  X(discretized_logistic_mixture_log_prob,                                                         \
    "Tensor x, Tensor params, int num_mixtures, int batch_ndim, bool[2] mask",                     \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(gaussian_mixture_log_prob,                                                                     \
    "Tensor z, Tensor means, Tensor logvars, Tensor? log_weights, bool per_dimension, "            \
    "bool[4] mask",                                                                                \
    "(Tensor, Tensor, Tensor, Tensor, Tensor)")                                                    \
  X(categorical_log_prob, "Tensor x, Tensor logits, int batch_ndim, bool[2] mask",                 \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(bernoulli_elbo_loss,                                                                           \
    "Tensor x, Tensor logits, Tensor mean, Tensor logvar, Tensor? beta, int reduction, "           \
    "bool[5] mask",                                                                                \
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)")                                            \
  X(gaussian_elbo_loss,                                                                            \
    "Tensor x, Tensor decoded_mean, Tensor decoded_logvar, Tensor mean, Tensor logvar, "           \
    "Tensor? beta, int reduction, bool[6] mask",                                                   \
    "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)")

// `name_inplace(arguments)`: the gradient of argument 1 may take that argument's storage. It is a
// permission: where it cannot be honoured this is `name`. `_name_value_grad_` does it, and does not
// return that gradient.
// X(name, schema of the arguments, mask, schema of the result, schema of value and gradients)
#define PYVAE_INPLACE_OPS(X)                                                                       \
  X(bernoulli_log_prob, "Tensor x, Tensor(a!) logits, int batch_ndim", "bool[2] mask", "Tensor",   \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(gaussian_log_prob, "Tensor x, Tensor(a!) mean, Tensor logvar, int batch_ndim", "bool[3] mask", \
    "Tensor", "(Tensor, Tensor, Tensor, Tensor)")                                                  \
  X(categorical_log_prob, "Tensor x, Tensor(a!) logits, int batch_ndim", "bool[2] mask", "Tensor", \
    "(Tensor, Tensor, Tensor)")                                                                    \
  X(bernoulli_elbo_loss,                                                                           \
    "Tensor x, Tensor(a!) logits, Tensor mean, Tensor logvar, Tensor? beta, int reduction",        \
    "bool[5] mask", "Tensor", "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)")                  \
  X(gaussian_elbo_loss,                                                                            \
    "Tensor x, Tensor(a!) decoded_mean, Tensor decoded_logvar, Tensor mean, Tensor logvar, "       \
    "Tensor? beta, int reduction",                                                                 \
    "bool[6] mask", "Tensor", "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)")
