#include "loss.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/sum.h>

#include "plan.h"

namespace pyvae {

void check_beta(const char* op, const Optional& beta, const Tensor& like, const char* name) {
  if (beta && beta->dim() != 0)
    C10_THROW_ERROR(
        ValueError,
        c10::str(op, ": beta must be a number or a scalar tensor, got shape ", beta->sym_sizes()));
  if (beta && beta->device() != like.device())
    C10_THROW_ERROR(ValueError, c10::str(op, ": beta must be on ", like.device(), " like ", name,
                                         ", got ", beta->device()));
}

Loss loss_of(const Tensor& log_prob, const Tensor& kl, const Optional& beta) {
  Loss pass;
  const auto view = [](const Tensor& t) {
    return View{const_cast<void*>(t.const_data_ptr()), kernel_dtype(t.scalar_type())};
  };
  pass.log_prob.values = view(log_prob), pass.log_prob.count = log_prob.numel();
  pass.kl.values = view(kl), pass.kl.count = kl.numel();
  if (!beta) return pass;
  if (on_host(kl.device().type()))
    pass.weight = beta->item<double>();  // of any dtype
  else
    pass.beta = view(*beta);
  return pass;
}

Tensor total(const Tensor& t) {
  if (!on_host(t.device().type())) return t.sum();
  const Tensor in_order = t.contiguous();
  const auto sum = [&](const auto* p) {
    double s = 0;
    for (int64_t i = 0; i < t.numel(); ++i) s += static_cast<double>(p[i]);
    return s;
  };
  return at::empty({}, t.options())
      .fill_(t.scalar_type() == at::kFloat ? sum(in_order.const_data_ptr<float>())
                                           : sum(in_order.const_data_ptr<double>()));
}

}  // namespace pyvae
