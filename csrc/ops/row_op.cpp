#include "row_op.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/util/accumulate.h>

#include "row_call.h"

namespace pyvae {
namespace {

Grads meta_grads(const Operands& in, const Mask& mask) {
  Grads g(in.size());
  for (size_t i = 0; i < in.size(); ++i)
    if (mask[i]) g[i] = at::empty_like(in[i]);
  return g;
}

at::ScalarType sample_dtype(const Operands& in) {
  return c10::promoteTypes(in[0].scalar_type(), in[1].scalar_type());
}

Tensor empty_sample(const Operands& in, c10::SymIntArrayRef shape) {
  return at::empty_symint(shape, in[0].options().dtype(sample_dtype(in)));
}

}  // namespace

Tensor row_value(const RowOp& op, const Operands& in, int64_t batch_ndim) {
  if (in[0].is_meta()) {
    const auto shape = broadcast<c10::SymInt>(op, in, batch_ndim);
    return at::empty_symint(c10::SymIntArrayRef(shape).slice(0, batch_ndim),
                            in[0].options().dtype(compute_dtype(in)));
  }
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  RowCall call(op, in, shape, batch_ndim, true);
  const Tensor value = call.value_tensor();
  call.forward(value, Mode::value);
  return value;
}

Grads row_backward(const RowOp& op, const Tensor& grad, const Operands& in, int64_t batch_ndim,
                   const Mask& mask) {
  if (in[0].is_meta()) return meta_grads(in, mask);
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  RowCall call(op, in, shape, batch_ndim, true);
  call.want(mask);
  if (grad.dim() != batch_ndim)
    C10_THROW_ERROR(ValueError, c10::str(op.name, "_backward: the incoming gradient must have ",
                                         batch_ndim, " dimensions, got shape ", grad.sizes()));
  check_gradient(op, grad, in);
  call.plan().add_per_row(kGradValue, grad);
  return call.backward();
}

Pass one_pass(const RowOp& op, const Operands& in, int64_t batch_ndim, const Mask& mask) {
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  Pass pass = Pass::rows;
  for (size_t i = 0; i < in.size(); ++i) {
    if (!mask[i]) continue;
    const auto dtype = in[i].scalar_type();
    if (dtype != at::kFloat && dtype != at::kDouble) return Pass::none;
    if (in[i].sizes() == Ints(shape)) continue;
    if (in[i].numel() != c10::multiply_integers(Ints(shape).slice(batch_ndim))) return Pass::none;
    pass = Pass::sums;
  }
  return pass;
}

Tensor row_value_grad(const RowOp& op, const Operands& in, int64_t batch_ndim, const Mask& mask,
                      const Tensor& weight, std::optional<double> scale, Grads& grads,
                      int overwrite) {
  if (in[0].is_meta()) {
    grads = meta_grads(in, mask);
    if (overwrite >= 0) grads[overwrite] = Tensor();
    return row_value(op, in, batch_ndim);
  }
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  RowCall call(op, in, shape, batch_ndim, true);
  const auto rows = static_cast<double>(c10::multiply_integers(Ints(shape).slice(0, batch_ndim)));
  call.want(mask, scale.value_or(-1 / rows), overwrite);
  if (weight.defined()) call.plan().add_per_row(kGradValue, weight);
  const Tensor value = call.value_tensor();
  call.value_and_gradients(value);
  grads = call.finish();
  if (overwrite >= 0) grads[overwrite] = Tensor();
  return value;
}

Tensor row_sample(const RowOp& op, const Operands& in, const Tensor& seed,
                  c10::SymIntArrayRef shape) {
  check_sample(op, in, seed, shape);
  Tensor z = empty_sample(in, shape);
  if (z.is_meta() || z.numel() == 0) return z;
  RowCall call(op, in, z.sizes(), 0, false);
  call.plan().add_noise(seed);
  call.plan().add(kSample, z);
  call.forward(Tensor(), Mode::value);
  return z;
}

Grads row_sample_backward(const RowOp& op, const Tensor& grad_z, const Operands& in,
                          const Tensor& seed, const Mask& mask) {
  if (in[0].is_meta()) return meta_grads(in, mask);
  RowCall call(op, in, grad_z.sizes(), 0, false);
  check_gradient(op, grad_z, in);
  call.plan().add_noise(seed);
  call.plan().add(kGradSample, grad_z);
  call.want(mask);
  return call.backward();
}

std::tuple<Tensor, Tensor> row_sample_value(const RowOp& op, const Operands& in, const Tensor& seed,
                                            c10::SymIntArrayRef shape, int64_t batch_ndim) {
  check_sample(op, in, seed, shape);
  if (batch_ndim < 0 || batch_ndim > static_cast<int64_t>(shape.size()))
    C10_THROW_ERROR(ValueError,
                    c10::str(op.name, ": batch_ndim must be between 0 and ", shape.size(),
                             ", the dimensions of the sample, got ", batch_ndim));
  Tensor z = empty_sample(in, shape);
  if (z.is_meta())
    return {z, at::empty_symint(shape.slice(0, batch_ndim), z.options().dtype(compute_dtype(in)))};
  RowCall call(op, in, z.sizes(), batch_ndim, true);
  call.plan().add_noise(seed);
  call.plan().add(kSample, z);
  const Tensor value = call.value_tensor();
  call.forward(value, Mode::value);
  return {z, value};
}

Grads row_sample_value_backward(const RowOp& op, const Tensor& grad_z, const Tensor& grad_value,
                                const Operands& in, const Tensor& seed, c10::SymIntArrayRef shape,
                                int64_t batch_ndim, const Mask& mask) {
  if (in[0].is_meta()) return meta_grads(in, mask);
  RowCall call(op, in, C10_AS_INTARRAYREF_SLOW(shape), batch_ndim, true);
  call.plan().add_noise(seed);
  for (const Tensor* grad : {&grad_z, &grad_value})
    if (grad->defined()) check_gradient(op, *grad, in);
  if (grad_z.defined()) call.plan().add(kGradSample, grad_z);
  if (grad_value.defined()) call.plan().add_per_row(kGradValue, grad_value);
  call.want(mask, grad_value.defined() ? 1 : 0);
  return call.backward();
}

}  // namespace pyvae
