// The ops that are no densities of the row loop: one entry each.
#include <torch/library.h>

#include "cuda/device.h"
#include "ops/categorical.h"
#include "ops/elbo.h"
#include "ops/gaussian_mixture.h"
#include "ops/logistic_mixture.h"
#include "ops/mmd.h"
#include "ops/negative_elbo.h"
#include "ops/rank1.h"
#include "register.h"

namespace pyvae {
namespace {

#if defined(PYVAE_CUDA)
constexpr bool kCuda = true;
#else
constexpr bool kCuda = false;  // tensors of CUDA are left to the reference
#endif

template <auto function>
torch::CppFunction kernel(c10::DispatchKey key) {
  return key == c10::DispatchKey::CUDA ? torch::CppFunction(OnDevice<function>::call)
                                       : torch::CppFunction(function);
}

// One function serves every device: on meta tensors it stops after the shapes.
template <auto forward, auto backward, auto value_grad = nullptr, auto value_grad_inplace = nullptr>
OpInfo& add(Namespace& space, OpSchema op) {
  constexpr bool one_pass = !std::is_same_v<decltype(value_grad), std::nullptr_t>;
  constexpr bool inplace = !std::is_same_v<decltype(value_grad_inplace), std::nullptr_t>;
  op.one_pass = one_pass, op.inplace = inplace;
  return define(
      space, op,
      [&](Namespace& where, c10::DispatchKey key) {
        where.impl(op.name, key, kernel<forward>(key));
        where.impl(op.name + "_backward", key, kernel<backward>(key));
        if constexpr (one_pass)
          where.impl("_" + op.name + "_value_grad", key, kernel<value_grad>(key));
        if constexpr (inplace) {
          where.impl(op.name + "_inplace", key, kernel<forward>(key));
          where.impl("_" + op.name + "_value_grad_", key, kernel<value_grad_inplace>(key));
        }
      },
      kCuda);
}

// Gradients that come with the values of a log-likelihood are times -1 / rows.
void one_pass_rows(OpInfo& info, OnePassRule rule) {
  info.folds_rows = true;
  info.one_pass = std::move(rule);
}
OnePass rows_if(bool can) { return can ? OnePass::rows : OnePass::none; }

}  // namespace

std::vector<std::string> register_task_ops() {
  auto* space = new Namespace("pyvae");  // as long as the process
  add<rank1_gaussian_rsample_kl, rank1_gaussian_rsample_kl_backward>(
      *space, {"rank1_gaussian_rsample_kl",
               "Tensor mean, Tensor log_precision, Tensor u, Tensor seed, int batch_ndim=1", 2});
  add<mmd, mmd_backward>(
      *space, {"mmd", "Tensor x, Tensor y, Tensor scales, bool imq=False, bool unbiased=False"});

  OpInfo& logistic =
      add<discretized_logistic_mixture_log_prob, discretized_logistic_mixture_log_prob_backward,
          discretized_logistic_mixture_log_prob_value_grad>(
          *space, {"discretized_logistic_mixture_log_prob",
                   "Tensor x, Tensor params, int num_mixtures, int batch_ndim=1"});
  logistic.data = 1;
  one_pass_rows(logistic, [](const Values& args, const Mask& mask, bool) {
    return rows_if(
        logistic_mixture_one_pass(args[0].toTensor(), args[1].toTensor(), {mask[0], mask[1]}));
  });
  logistic.refill = [](const Tensor& grad, const Values& args, double folded, const Grads& made) {
    logistic_mixture_refill(grad, args[0].toTensor(), args[1].toTensor(), args[2].toInt(),
                            args[3].toInt(), folded, made[1]);
  };

  // The value comes with the gradient of the points, and serves that of the components.
  one_pass_rows(add<gaussian_mixture_log_prob, gaussian_mixture_log_prob_backward,
                    gaussian_mixture_log_prob_value_grad>(
                    *space, {"gaussian_mixture_log_prob",
                             "Tensor z, Tensor means, Tensor logvars, Tensor? log_weights=None, "
                             "bool per_dimension=False"}),
                [](const Values& args, const Mask& mask, bool worth) {
                  const Optional weights =
                      has_tensor(args[3]) ? Optional(args[3].toTensor()) : std::nullopt;
                  const Tensor z = args[0].toTensor();
                  const bool can = gaussian_mixture_one_pass(
                      z, args[1].toTensor(), args[2].toTensor(), weights, args[4].toBool(),
                      {mask[0], mask[1], mask[2], mask[3]});
                  return can && worth && on_host(z.device().type()) ? OnePass::sums : OnePass::none;
                });

  OpInfo& categorical =
      add<categorical_log_prob, categorical_log_prob_backward,
          categorical_log_prob_value_grad<false>, categorical_log_prob_value_grad<true>>(
          *space, {"categorical_log_prob", "Tensor x, Tensor logits, int batch_ndim=1"});
  one_pass_rows(categorical, [](const Values& args, const Mask&, bool worth) {
    const Tensor x = args[0].toTensor(), logits = args[1].toTensor();
    if (worth && (args[2].toInt() != 1 || x.dim() + 1 != logits.dim())) return OnePass::none;
    return rows_if(categorical_one_pass(x, logits, args[2].toInt()));
  });
  categorical.refill = [](const Tensor& grad, const Values& args, double folded,
                          const Grads& made) {
    categorical_refill(grad, args[0].toTensor(), args[1].toTensor(), args[2].toInt(), folded,
                       made[1]);
  };

  // Operands of the likelihood, mean, logvar, beta, reduction.
  const auto operands = [](const Values& args, size_t from, size_t to) {
    Operands all;
    for (size_t i = from; i < to; ++i) all.push_back(args[i].toTensor());
    return all;
  };
  const auto elbo = [operands](OpInfo& info) {
    info.one_pass = [operands](const Values& args, const Mask& mask, bool) {
      const size_t n = args.size() - 4;
      return rows_if(
          elbo_one_pass(operands(args, 0, n), operands(args, n, n + 2), args[n + 3].toInt(), mask));
    };
    info.refill = [operands](const Tensor& grad, const Values& args, double, const Grads& made) {
      const size_t n = args.size() - 4;
      const Optional beta =
          has_tensor(args[n + 2]) ? Optional(args[n + 2].toTensor()) : std::nullopt;
      elbo_refill(grad, operands(args, 0, n), operands(args, n, n + 2), beta, args[n + 3].toInt(),
                  made);
    };
  };
  elbo(add<bernoulli_elbo_loss, bernoulli_elbo_loss_backward, bernoulli_elbo_loss_value_grad<false>,
           bernoulli_elbo_loss_value_grad<true>>(
      *space,
      {"bernoulli_elbo_loss",
       "Tensor x, Tensor logits, Tensor mean, Tensor logvar, Tensor? beta, int reduction"}));
  elbo(add<gaussian_elbo_loss, gaussian_elbo_loss_backward, gaussian_elbo_loss_value_grad<false>,
           gaussian_elbo_loss_value_grad<true>>(
      *space, {"gaussian_elbo_loss",
               "Tensor x, Tensor decoded_mean, Tensor decoded_logvar, Tensor mean, Tensor logvar, "
               "Tensor? beta, int reduction"}));

  OpSchema loss{"negative_elbo", "Tensor log_prob, Tensor kl, Tensor? beta=None, float weight=1.0",
                2};
  loss.grads = "Tensor? grad_loss, Tensor? grad_terms";
  add<negative_elbo, negative_elbo_backward, negative_elbo_value_grad>(*space, loss).one_pass =
      [](const Values& args, const Mask& mask, bool) {
        return rows_if(negative_elbo_one_pass(args[0].toTensor(), args[1].toTensor(), mask));
      };
  return space->ops;
}

}  // namespace pyvae
