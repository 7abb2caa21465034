#include "gaussian.h"

#include <ATen/ops/zeros.h>

namespace pyvae {

const RowOp kGaussianLogProb{
    "gaussian_log_prob", Kernel::gaussian_log_prob, {"x", "mean", "logvar"}, 2, 1};
const RowOp kGaussianKl{
    "gaussian_kl", Kernel::gaussian_kl, {"mean", "logvar", "prior_mean", "prior_logvar"}, 1};
const RowOp kGaussianKlStandard{"gaussian_kl", Kernel::gaussian_kl_standard, {"mean", "logvar"}, 1};

namespace {

const RowOp kGaussianRsample{"gaussian_rsample", Kernel::gaussian_rsample, {"mean", "logvar"}, 0};
const RowOp kGaussianRsampleKl{
    "gaussian_rsample_kl", Kernel::gaussian_rsample_kl, {"mean", "logvar"}, 0};

// A lone prior mean or logvar takes 0 for the other; none at all is N(0, I), a kernel of its own.
Operands kl_operands(const Tensor& mean, const Tensor& logvar, const Optional& prior_mean,
                     const Optional& prior_logvar) {
  if (!prior_mean && !prior_logvar) return {mean, logvar};
  const Tensor zero = prior_mean && prior_logvar ? Tensor() : at::zeros({}, mean.options());
  return {mean, logvar, prior_mean.value_or(zero), prior_logvar.value_or(zero)};
}
const RowOp& log_ratio_op(const Operands& in, bool path_derivative) {
#define PYVAE_ROW_OP(kernel, ...)                                                                  \
  static const RowOp kernel{"gaussian_rsample_log_ratio", Kernel::kernel, {__VA_ARGS__}, 0}
  PYVAE_ROW_OP(gaussian_log_ratio_standard, "mean", "logvar");
  PYVAE_ROW_OP(gaussian_log_ratio_standard_path, "mean", "logvar");
  PYVAE_ROW_OP(gaussian_log_ratio, "mean", "logvar", "prior_mean", "prior_logvar");
  PYVAE_ROW_OP(gaussian_log_ratio_path, "mean", "logvar", "prior_mean", "prior_logvar");
#undef PYVAE_ROW_OP
  if (in.size() == 2)
    return path_derivative ? gaussian_log_ratio_standard_path : gaussian_log_ratio_standard;
  return path_derivative ? gaussian_log_ratio_path : gaussian_log_ratio;
}
Shape<c10::SymInt> many(const c10::SymInt& num_samples, const Tensor& mean) {
  Shape<c10::SymInt> shape{num_samples};
  shape.append(mean.sym_sizes().begin(), mean.sym_sizes().end());
  return shape;
}
const RowOp& kl_op(const Operands& in) {
  return in.size() == 2 ? kGaussianKlStandard : kGaussianKl;
}

}  // namespace

Tensor gaussian_log_prob(const Tensor& x, const Tensor& mean, const Tensor& logvar,
                         int64_t batch_ndim) {
  return row_value(kGaussianLogProb, {x, mean, logvar}, batch_ndim);
}
std::tuple<Tensor, Tensor, Tensor> gaussian_log_prob_backward(const Optional& grad, const Tensor& x,
                                                              const Tensor& mean,
                                                              const Tensor& logvar,
                                                              int64_t batch_ndim, Masks<3> mask) {
  Grads g = row_backward(kGaussianLogProb, *grad, {x, mean, logvar}, batch_ndim,
                         {mask[0], mask[1], mask[2]});
  return {g[0], g[1], g[2]};
}

template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor, Tensor> gaussian_log_prob_value_grad(
    const Tensor& x, const Tensor& mean, const Tensor& logvar, int64_t batch_ndim, Masks<3> mask) {
  Grads g;
  Tensor value =
      row_value_grad(kGaussianLogProb, {x, mean, logvar}, batch_ndim, {mask[0], mask[1], mask[2]},
                     Tensor(), std::nullopt, g, kInplace ? 1 : -1);
  return {value, g[0], g[1], g[2]};
}
PYVAE_INSTANTIATE(gaussian_log_prob_value_grad)

Tensor gaussian_kl(const Tensor& mean, const Tensor& logvar, const Optional& prior_mean,
                   const Optional& prior_logvar, int64_t batch_ndim) {
  const Operands in = kl_operands(mean, logvar, prior_mean, prior_logvar);
  return row_value(kl_op(in), in, batch_ndim);
}
std::tuple<Tensor, Tensor, Tensor, Tensor> gaussian_kl_backward(
    const Optional& grad, const Tensor& mean, const Tensor& logvar, const Optional& prior_mean,
    const Optional& prior_logvar, int64_t batch_ndim, Masks<4> mask) {
  const Operands in = kl_operands(mean, logvar, prior_mean, prior_logvar);
  Grads g = row_backward(kl_op(in), *grad, in, batch_ndim, mask);
  g.resize(4);
  return {g[0], g[1], g[2], g[3]};
}

Tensor gaussian_rsample(const Tensor& mean, const Tensor& logvar, const Tensor& seed,
                        c10::SymIntArrayRef shape) {
  return row_sample(kGaussianRsample, {mean, logvar}, seed, shape);
}
std::tuple<Tensor, Tensor, Tensor> gaussian_rsample_backward(const Optional& grad_z,
                                                             const Tensor& mean,
                                                             const Tensor& logvar,
                                                             const Tensor& seed,
                                                             c10::SymIntArrayRef, Masks<3> mask) {
  Grads g =
      row_sample_backward(kGaussianRsample, *grad_z, {mean, logvar}, seed, {mask[0], mask[1]});
  return {g[0], g[1], Tensor()};
}

std::tuple<Tensor, Tensor> gaussian_rsample_kl(const Tensor& mean, const Tensor& logvar,
                                               const Tensor& seed, int64_t batch_ndim) {
  return row_sample_value(kGaussianRsampleKl, {mean, logvar}, seed, mean.sym_sizes(), batch_ndim);
}
std::tuple<Tensor, Tensor, Tensor> gaussian_rsample_kl_backward(
    const Optional& grad_z, const Optional& grad_kl, const Tensor& mean, const Tensor& logvar,
    const Tensor& seed, int64_t batch_ndim, Masks<3> mask) {
  Grads g = row_sample_value_backward(kGaussianRsampleKl, grad_z.value_or(Tensor()),
                                      grad_kl.value_or(Tensor()), {mean, logvar}, seed,
                                      mean.sym_sizes(), batch_ndim, {mask[0], mask[1]});
  return {g[0], g[1], Tensor()};
}

std::tuple<Tensor, Tensor> gaussian_rsample_log_ratio(const Tensor& mean, const Tensor& logvar,
                                                      const Optional& prior_mean,
                                                      const Optional& prior_logvar,
                                                      const Tensor& seed, c10::SymInt num_samples,
                                                      bool path_derivative, int64_t batch_ndim) {
  const Operands in = kl_operands(mean, logvar, prior_mean, prior_logvar);
  return row_sample_value(log_ratio_op(in, path_derivative), in, seed, many(num_samples, mean),
                          batch_ndim + 1);
}
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_rsample_log_ratio_backward(
    const Optional& grad_z, const Optional& grad_log_ratio, const Tensor& mean,
    const Tensor& logvar, const Optional& prior_mean, const Optional& prior_logvar,
    const Tensor& seed, c10::SymInt num_samples, bool path_derivative, int64_t batch_ndim,
    Masks<5> mask) {
  const Operands in = kl_operands(mean, logvar, prior_mean, prior_logvar);
  Grads g = row_sample_value_backward(log_ratio_op(in, path_derivative), grad_z.value_or(Tensor()),
                                      grad_log_ratio.value_or(Tensor()), in, seed,
                                      many(num_samples, mean), batch_ndim + 1,
                                      {mask[0], mask[1], mask[2], mask[3]});
  g.resize(4);
  return {g[0], g[1], g[2], g[3], Tensor()};
}

}  // namespace pyvae
