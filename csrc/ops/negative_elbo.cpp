#include "negative_elbo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include "loss.h"
#include "plan.h"

namespace pyvae {
namespace {

constexpr const char* kName = "negative_elbo";

void check(const Tensor& log_prob, const Tensor& kl, const Optional& beta) {
  const auto of = [](const char* name, const Tensor& t) {
    if (!is_kernel_float(t.scalar_type()))
      C10_THROW_ERROR(TypeError, c10::str(kName, ": ", name, " must be float32, float64, bfloat16 ",
                                          "or float16, got ", t.scalar_type()));
  };
  of("log_prob", log_prob), of("kl", kl);
  if (beta) of("beta", *beta);
  if (kl.device() != log_prob.device())
    C10_THROW_ERROR(ValueError, c10::str(kName, ": kl must be on ", log_prob.device(),
                                         " like log_prob, got ", kl.device()));
  check_beta(kName, beta, log_prob, "log_prob");
  const auto all = log_prob.sym_sizes(), own = kl.sym_sizes();
  if (own.size() > all.size() || all.slice(all.size() - own.size()) != own)
    C10_THROW_ERROR(ValueError, c10::str(kName, ": kl must have the shape of log_prob, ", all,
                                         ", or its last dimensions, got ", own));
}

// One call.
class Call {
 public:
  Call(const Tensor& log_prob, const Tensor& kl, const Optional& beta, double weight)
      : given_{log_prob, kl}, dtype_(compute_dtype({log_prob, kl})),
        pass_(loss_of(values_[0] = values(log_prob), values_[1] = values(kl), beta)) {
    if (!beta) pass_.weight = weight;
    pass_.log_prob.scale = 1 / static_cast<double>(log_prob.numel());
    pass_.kl.scale = 1 / static_cast<double>(kl.numel());
    pass_.dtype = kernel_dtype(dtype_);
  }

  void want_value(const Tensor& loss, const Tensor& terms) {
    pass_.out = loss.mutable_data_ptr(), pass_.terms = terms.mutable_data_ptr();
  }
  void want(bool of_log_prob, bool of_kl) {
    const bool wanted[2] = {of_log_prob, of_kl};
    Loss::Term* const terms[2] = {&pass_.log_prob, &pass_.kl};
    for (int i = 0; i < 2; ++i) {
      if (!wanted[i]) continue;
      grads_[i] = at::empty_like(given_[i], given_[i].options().dtype(values_[i].scalar_type()));
      terms[i]->grad = grads_[i].mutable_data_ptr();
    }
  }
  void read(const Tensor& grad_loss, const Tensor& grad_terms) {
    const auto view = [](Tensor& kept, const Tensor& t) {
      if (!t.defined()) return View();
      kept = t.contiguous();
      return View{const_cast<void*>(kept.const_data_ptr()), kernel_dtype(kept.scalar_type())};
    };
    pass_.grad = view(incoming_[0], grad_loss), pass_.grad_terms = view(incoming_[1], grad_terms);
  }
  void run() const { backend(given_[0].device().type())->loss(pass_); }

  // In the dtype of what they are the gradients of.
  Tensor grad(int i) const {
    return grads_[i].defined() ? grads_[i].to(given_[i].scalar_type()) : Tensor();
  }

 private:
  static Tensor values(const Tensor& t) {
    return t.element_size() < 4 ? t.to(at::kFloat).contiguous() : t.contiguous();
  }

  Tensor given_[2], values_[2], grads_[2], incoming_[2];
  at::ScalarType dtype_;
  Loss pass_;
};

std::tuple<Tensor, Tensor> results(const Tensor& log_prob, const Tensor& kl) {
  const auto options = log_prob.options().dtype(compute_dtype({log_prob, kl}));
  return {at::empty({}, options), at::empty({3}, options)};
}

// The derivative in beta is the mean KL.
Tensor grad_beta(const Tensor& grad_loss, const Tensor& kl, const Tensor& beta) {
  if (!grad_loss.defined()) return at::zeros_like(beta);
  const Tensor sum = total(kl.to(grad_loss.scalar_type()));
  return (sum / kl.numel() * grad_loss).to(beta.scalar_type());
}

}  // namespace

std::tuple<Tensor, Tensor> negative_elbo(const Tensor& log_prob, const Tensor& kl,
                                         const Optional& beta, double weight) {
  check(log_prob, kl, beta);
  const auto [loss, terms] = results(log_prob, kl);
  if (log_prob.is_meta()) return {loss, terms};
  Call call(log_prob, kl, beta, weight);
  call.want_value(loss, terms);
  call.run();
  return {loss, terms};
}

std::tuple<Tensor, Tensor, Tensor> negative_elbo_backward(const Optional& grad_loss,
                                                          const Optional& grad_terms,
                                                          const Tensor& log_prob, const Tensor& kl,
                                                          const Optional& beta, double weight,
                                                          Masks<3> mask) {
  check(log_prob, kl, beta);
  const Tensor of_loss = grad_loss.value_or(Tensor()), of_terms = grad_terms.value_or(Tensor());
  const auto dtype = compute_dtype({log_prob, kl});
  const c10::SymInt three[] = {3};
  if (of_loss.defined() || !of_terms.defined())
    check_gradient(kName, "grad_loss", of_loss, {}, dtype, log_prob);
  if (of_terms.defined()) check_gradient(kName, "grad_terms", of_terms, three, dtype, log_prob);
  if (log_prob.is_meta()) {
    const auto like = [](bool wanted, const Tensor& t) {
      return wanted ? at::empty_like(t) : Tensor();
    };
    return {like(mask[0], log_prob), like(mask[1], kl), like(mask[2] && beta, beta.value_or(kl))};
  }
  Call call(log_prob, kl, beta, weight);
  call.want(mask[0], mask[1]);
  call.read(of_loss, of_terms);
  call.run();
  return {call.grad(0), call.grad(1), mask[2] && beta ? grad_beta(of_loss, kl, *beta) : Tensor()};
}

bool negative_elbo_one_pass(const Tensor& log_prob, const Tensor& kl, const Mask& mask) {
  return !mask[2] && (!mask[0] || log_prob.element_size() >= 4) &&
         (!mask[1] || kl.element_size() >= 4);
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> negative_elbo_value_grad(
    const Tensor& log_prob, const Tensor& kl, const Optional& beta, double weight, Masks<3> mask) {
  check(log_prob, kl, beta);
  const auto [loss, terms] = results(log_prob, kl);
  if (log_prob.is_meta())
    return {loss, terms, mask[0] ? at::empty_like(log_prob) : Tensor(),
            mask[1] ? at::empty_like(kl) : Tensor(), Tensor()};
  Call call(log_prob, kl, beta, weight);
  call.want_value(loss, terms);
  call.want(mask[0], mask[1]);
  call.run();
  return {loss, terms, call.grad(0), call.grad(1), Tensor()};
}

}  // namespace pyvae
