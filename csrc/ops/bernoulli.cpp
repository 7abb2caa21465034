#include "bernoulli.h"

namespace pyvae {

const RowOp kBernoulliLogProb{
    "bernoulli_log_prob", Kernel::bernoulli_log_prob, {"x", "logits"}, 2, 1};

Tensor bernoulli_log_prob(const Tensor& x, const Tensor& logits, int64_t batch_ndim) {
  return row_value(kBernoulliLogProb, {x, logits}, batch_ndim);
}
std::tuple<Tensor, Tensor> bernoulli_log_prob_backward(const Optional& grad, const Tensor& x,
                                                       const Tensor& logits, int64_t batch_ndim,
                                                       Masks<2> mask) {
  Grads g = row_backward(kBernoulliLogProb, *grad, {x, logits}, batch_ndim, {mask[0], mask[1]});
  return {g[0], g[1]};
}
template <bool kInplace>
std::tuple<Tensor, Tensor, Tensor> bernoulli_log_prob_value_grad(const Tensor& x,
                                                                 const Tensor& logits,
                                                                 int64_t batch_ndim,
                                                                 Masks<2> mask) {
  Grads g;
  Tensor value = row_value_grad(kBernoulliLogProb, {x, logits}, batch_ndim, {mask[0], mask[1]},
                                Tensor(), std::nullopt, g, kInplace ? 1 : -1);
  return {value, g[0], g[1]};
}
PYVAE_INSTANTIATE(bernoulli_log_prob_value_grad)

}  // namespace pyvae
