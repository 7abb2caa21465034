#include "elbo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>

#include "densities.h"
#include "loss.h"
#include "plan.h"

namespace pyvae {
namespace {

constexpr int64_t kNone = 0, kMean = 1;

// The densities under the names of the loss's own arguments.
template <size_t n>
DensityInfo renamed(const char* name, const char* const (&operands)[n]) {
  DensityInfo info = density(name);
  info.op.name = "elbo_loss", info.op.operands = operands;
  return info;
}
const DensityInfo& bernoulli() {
  static constexpr const char* operands[] = {"x", "decoded"};
  static const DensityInfo info = renamed("bernoulli_log_prob", operands);
  return info;
}
const DensityInfo& gaussian() {
  static constexpr const char* operands[] = {"x", "decoded mean", "decoded logvar"};
  static const DensityInfo info = renamed("gaussian_log_prob", operands);
  return info;
}
const DensityInfo& kl_standard() {
  static constexpr const char* operands[] = {"mean", "logvar"};
  static const DensityInfo info = renamed("gaussian_kl_standard", operands);
  return info;
}

// The mean (or sum) of beta kl - lp.
Tensor reduce(const Tensor& lp, const Tensor& kl, const Optional& beta, int64_t reduction) {
  check_beta("elbo_loss", beta, kl, "mean");
  if (lp.sym_sizes() != kl.sym_sizes())
    C10_THROW_ERROR(ValueError, c10::str("elbo_loss: x and mean must have one batch size, got ",
                                         lp.sym_sizes(), " and ", kl.sym_sizes()));
  const Backend* device = backend(lp.device().type());
  if (!device || reduction == kNone) {  // meta tensors have no backend
    const Tensor loss = (beta ? kl * beta->to(kl.scalar_type()) : kl) - lp;
    return reduction == kNone ? loss : reduction == kMean ? loss.mean() : loss.sum();
  }
  const auto dtype = c10::promoteTypes(lp.scalar_type(), kl.scalar_type());
  const Tensor out = at::empty({}, lp.options().dtype(dtype));
  Loss pass = loss_of(lp, kl, beta);
  if (reduction == kMean) pass.log_prob.scale = pass.kl.scale = 1 / static_cast<double>(lp.numel());
  pass.out = out.mutable_data_ptr(), pass.dtype = kernel_dtype(dtype);
  device->loss(pass);
  return out;
}

Tensor loss(const DensityInfo& op, const Operands& likelihood, const Tensor& mean,
            const Tensor& logvar, const Optional& beta, int64_t reduction) {
  return reduce(row_value(op, likelihood, 1), row_value(kl_standard(), {mean, logvar}, 1), beta,
                reduction);
}

// The gradient of each sample's loss.
Tensor per_sample(const Tensor& grad, const Tensor& mean, int64_t reduction) {
  if (reduction == kNone) return grad;
  const Tensor g = reduction == kMean ? grad / mean.sym_size(0) : grad;
  return g.expand_symint(mean.sym_sizes().slice(0, 1));
}

Grads loss_backward(const DensityInfo& op, const Tensor& grad, const Operands& likelihood,
                    const Tensor& mean, const Tensor& logvar, const Optional& beta,
                    int64_t reduction, const Mask& likelihood_mask, const Mask& kl_mask,
                    bool beta_wanted) {
  check_beta("elbo_loss", beta, mean, "mean");
  const auto dtype = c10::promoteTypes(compute_dtype(likelihood), compute_dtype({mean, logvar}));
  const auto batch = mean.sym_sizes().slice(0, std::min<int64_t>(1, mean.dim()));
  check_gradient("elbo_loss", "grad", grad, reduction == kNone ? batch : c10::SymIntArrayRef(),
                 dtype, mean);
  const Tensor g = per_sample(grad, mean, reduction);
  const auto own = [&](const Tensor& t, const Operands& in) { return t.to(compute_dtype(in)); };
  Grads out = row_backward(op, own(g.neg(), likelihood), likelihood, 1, likelihood_mask);
  const Grads kl = row_backward(kl_standard(), own(beta ? g * *beta : g, {mean, logvar}),
                                {mean, logvar}, 1, kl_mask);
  out.insert(out.end(), kl.begin(), kl.end());
  out.emplace_back();
  if (beta_wanted && beta)
    out.back() = total(row_value(kl_standard(), {mean, logvar}, 1) * g).to(beta->scalar_type());
  return out;
}

// The loss as a number with its gradients: 1/B and beta are folded in.
Tensor loss_value_grad(const DensityInfo& op, const Operands& likelihood, const Tensor& mean,
                       const Tensor& logvar, const Optional& beta, int64_t reduction,
                       const Mask& likelihood_mask, const Mask& kl_mask, Grads& grads,
                       int overwrite) {
  // On meta tensors the batch may be symbolic, and the scale is not used.
  const double scale =
      reduction == kMean && !mean.is_meta() ? 1. / static_cast<double>(mean.size(0)) : 1.;
  Grads kl;
  const Operands latent = {mean, logvar};
  const Tensor weight = beta ? beta->to(compute_dtype(latent)) : Tensor();
  const Tensor lp =
      row_value_grad(op, likelihood, 1, likelihood_mask, {}, -scale, grads, overwrite);
  const Tensor k = row_value_grad(kl_standard(), latent, 1, kl_mask, weight, scale, kl);
  grads.insert(grads.end(), kl.begin(), kl.end());
  return reduce(lp, k, beta, reduction);
}

}  // namespace

bool elbo_one_pass(const Operands& likelihood, const Operands& latent, int64_t reduction,
                   const Mask& mask) {
  const size_t n = likelihood.size();
  const bool of_beta = mask[n + 2];
  if (reduction == kNone || of_beta) return false;
  const DensityInfo& op = n == 2 ? bernoulli() : gaussian();
  if (likelihood[0].device().type() != c10::DeviceType::CPU && !op.cuda) return false;
  const Mask first(mask.begin(), mask.begin() + n), second{mask[n], mask[n + 1]};
  return one_pass(op, likelihood, 1, first) == OnePass::rows &&
         one_pass(kl_standard(), latent, 1, second) == OnePass::rows;
}

void elbo_refill(const Tensor& grad, const Operands& likelihood, const Operands& latent,
                 const Optional& beta, int64_t reduction, const Grads& made) {
  const size_t n = likelihood.size();
  const int64_t rows = latent[0].size(0);
  const double scale = reduction == kMean ? 1. / static_cast<double>(rows) : 1.;
  const auto refill = [&](const DensityInfo& op, const Tensor& weight, const Operands& in,
                          double sign, double folded, size_t first) {
    Grads own;
    bool any = false;
    for (size_t i = 0; i < in.size(); ++i) own.push_back(made[first + i]), any |= own[i].defined();
    if (any)
      row_refill(op, weight.to(compute_dtype(in)).expand({rows}), in, 1, sign * scale, folded, own);
  };
  refill(n == 2 ? bernoulli() : gaussian(), grad, likelihood, -1, 1, 0);
  // With beta the incoming gradient is no longer told from 1; the latents are few.
  refill(kl_standard(), beta ? grad * *beta : grad, latent, 1, beta ? std::nan("") : 1, n);
}

Tensor bernoulli_elbo_loss(const Tensor& x, const Tensor& logits, const Tensor& mean,
                           const Tensor& logvar, const Optional& beta, int64_t reduction) {
  return loss(bernoulli(), {x, logits}, mean, logvar, beta, reduction);
}
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> bernoulli_elbo_loss_backward(
    const Optional& grad, const Tensor& x, const Tensor& logits, const Tensor& mean,
    const Tensor& logvar, const Optional& beta, int64_t reduction, Masks<5> mask) {
  Grads g = loss_backward(bernoulli(), grad.value_or(Tensor()), {x, logits}, mean, logvar, beta,
                          reduction, {mask[0], mask[1]}, {mask[2], mask[3]}, mask[4]);
  return {g[0], g[1], g[2], g[3], g[4]};
}
template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> bernoulli_elbo_loss_value_grad(
    const Tensor& x, const Tensor& logits, const Tensor& mean, const Tensor& logvar,
    const Optional& beta, int64_t reduction, Masks<5> mask) {
  Grads g;
  Tensor value = loss_value_grad(bernoulli(), {x, logits}, mean, logvar, beta, reduction,
                                 {mask[0], mask[1]}, {mask[2], mask[3]}, g, kInplace ? 1 : -1);
  return {value, g[0], g[1], g[2], g[3], Tensor()};
}
template decltype(bernoulli_elbo_loss_value_grad<false>) bernoulli_elbo_loss_value_grad<false>;
template decltype(bernoulli_elbo_loss_value_grad<true>) bernoulli_elbo_loss_value_grad<true>;

Tensor gaussian_elbo_loss(const Tensor& x, const Tensor& decoded_mean, const Tensor& decoded_logvar,
                          const Tensor& mean, const Tensor& logvar, const Optional& beta,
                          int64_t reduction) {
  return loss(gaussian(), {x, decoded_mean, decoded_logvar}, mean, logvar, beta, reduction);
}
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_elbo_loss_backward(
    const Optional& grad, const Tensor& x, const Tensor& decoded_mean, const Tensor& decoded_logvar,
    const Tensor& mean, const Tensor& logvar, const Optional& beta, int64_t reduction,
    Masks<6> mask) {
  Grads g = loss_backward(gaussian(), grad.value_or(Tensor()), {x, decoded_mean, decoded_logvar},
                          mean, logvar, beta, reduction, {mask[0], mask[1], mask[2]},
                          {mask[3], mask[4]}, mask[5]);
  return {g[0], g[1], g[2], g[3], g[4], g[5]};
}
template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> gaussian_elbo_loss_value_grad(
    const Tensor& x, const Tensor& decoded_mean, const Tensor& decoded_logvar, const Tensor& mean,
    const Tensor& logvar, const Optional& beta, int64_t reduction, Masks<6> mask) {
  Grads g;
  Tensor value =
      loss_value_grad(gaussian(), {x, decoded_mean, decoded_logvar}, mean, logvar, beta, reduction,
                      {mask[0], mask[1], mask[2]}, {mask[3], mask[4]}, g, kInplace ? 1 : -1);
  return {value, g[0], g[1], g[2], g[3], g[4], Tensor()};
}
template decltype(gaussian_elbo_loss_value_grad<false>) gaussian_elbo_loss_value_grad<false>;
template decltype(gaussian_elbo_loss_value_grad<true>) gaussian_elbo_loss_value_grad<true>;

}  // namespace pyvae
