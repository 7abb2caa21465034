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

at::ScalarType sample_dtype(const DensityInfo& density, const Operands& in) {
  auto dtype = in[0].scalar_type();
  for (int32_t i = 1; i < density.sampled; ++i)
    dtype = c10::promoteTypes(dtype, in[i].scalar_type());
  return dtype;
}

bool has_variant(const DensityInfo& density, Variant variant) {
  if (const CpuKernels* cpu = density.cpu[kPortable]) return cpu[variant].exist();
  return density.cuda && density.cuda[variant].exist();
}

// Whether the density tells whole numbers from places, and is given the former.
bool of_levels(const DensityInfo& density, const Operands& in) {
  if (!has_variant(density, kOfLevels)) return false;
  const auto dtype = in[0].scalar_type();
  if (dtype == at::kBool || (!is_kernel_float(dtype) && !is_kernel_integer(dtype)))
    C10_THROW_ERROR(TypeError,
                    c10::str(density.op.name, ": ", density.op.operands[0],
                             " must be integer levels, or float32, float64, bfloat16 or float16 ",
                             "from -1 to 1, got ", dtype));
  return is_kernel_integer(dtype);
}

}  // namespace

void check_mask(const char* op, const Mask& mask, size_t count) {
  if (mask.size() != count)
    C10_THROW_ERROR(ValueError,
                    c10::str(op, "_backward: mask must have ", count,
                             " entries, one for each tensor argument, got ", mask.size()));
}

Kernel kernel_of(const DensityInfo& density, const Operands& in, bool of_data) {
  const Variant variant = of_levels(density, in)                     ? kOfLevels
                          : of_data && has_variant(density, kOfData) ? kOfData
                                                                     : kPlain;
  return {&density, variant, compute_dtype(in) == at::kDouble};
}

Tensor row_value(const DensityInfo& density, const Operands& in, int64_t batch_ndim) {
  const Kernel kernel = kernel_of(density, in, false);
  if (in[0].is_meta()) {
    const auto shape = broadcast<c10::SymInt>(density.op, in, batch_ndim);
    return at::empty_symint(c10::SymIntArrayRef(shape).slice(0, batch_ndim),
                            in[0].options().dtype(compute_dtype(in)));
  }
  const auto shape = broadcast<int64_t>(density.op, in, batch_ndim);
  RowCall call(kernel, in, shape, batch_ndim, true);
  const Tensor value = call.value_tensor();
  call.run(value);
  return value;
}

Grads row_backward(const DensityInfo& density, const Tensor& grad, const Operands& in,
                   int64_t batch_ndim, const Mask& mask) {
  check_mask(density.op.name, mask, in.size());
  if (in[0].is_meta()) {
    const auto shape = broadcast<c10::SymInt>(density.op, in, batch_ndim);
    check_gradient(density.op.name, "grad", grad, c10::SymIntArrayRef(shape).slice(0, batch_ndim),
                   compute_dtype(in), in[0]);
    return meta_grads(in, mask);
  }
  const auto shape = broadcast<int64_t>(density.op, in, batch_ndim);
  c10::SmallVector<c10::SymInt, 6> batch(shape.begin(), shape.begin() + batch_ndim);
  check_gradient(density.op.name, "grad", grad, batch, compute_dtype(in), in[0]);
  RowCall call(kernel_of(density, in, mask[0]), in, shape, batch_ndim, true);
  call.want(mask);
  call.plan().read_per_row(kGradValue, grad);
  call.run();
  return call.gradients();
}

OnePass one_pass(const DensityInfo& density, const Operands& in, int64_t batch_ndim,
                 const Mask& mask) {
  const auto shape = broadcast<int64_t>(density.op, in, batch_ndim);
  OnePass pass = OnePass::rows;
  for (size_t i = 0; i < in.size(); ++i) {
    if (!mask[i]) continue;
    const auto dtype = in[i].scalar_type();
    if (!is_kernel_float(dtype)) return OnePass::none;
    if (in[i].sizes() == Ints(shape)) continue;
    if (in[i].numel() != c10::multiply_integers(Ints(shape).slice(batch_ndim)))
      return OnePass::none;
    pass = OnePass::sums;
  }
  return pass;
}

Tensor row_value_grad(const DensityInfo& density, const Operands& in, int64_t batch_ndim,
                      const Mask& mask, const Tensor& weight, std::optional<double> scale,
                      Grads& grads, int overwrite) {
  check_mask(density.op.name, mask, in.size());
  if (in[0].is_meta()) {
    grads = meta_grads(in, mask);
    if (overwrite >= 0) grads[overwrite] = Tensor();
    return row_value(density, in, batch_ndim);
  }
  const auto shape = broadcast<int64_t>(density.op, in, batch_ndim);
  RowCall call(kernel_of(density, in, mask[0]), in, shape, batch_ndim, true);
  const auto rows = static_cast<double>(c10::multiply_integers(Ints(shape).slice(0, batch_ndim)));
  call.want(mask, scale.value_or(-1 / rows), overwrite);
  if (weight.defined()) call.plan().read_per_row(kGradValue, weight);
  const Tensor value = call.value_tensor();
  call.run(value);
  grads = call.gradients();
  if (overwrite >= 0) grads[overwrite] = Tensor();
  return value;
}

void row_refill(const DensityInfo& density, const Tensor& grad, const Operands& in,
                int64_t batch_ndim, double scale, double folded, const Grads& made) {
  const auto shape = broadcast<int64_t>(density.op, in, batch_ndim);
  RowCall call(kernel_of(density, in, made[0].defined()), in, shape, batch_ndim, true);
  call.want_again(made, scale, folded);
  call.plan().read_per_row(kGradValue, grad);
  call.run();
}

namespace {

c10::SymIntArrayRef check_shape(const DensityInfo& density, const Operands& in, const Tensor& seed,
                                c10::SymIntArrayRef shape, int64_t batch_ndim) {
  check_sample(density.op, in, seed, shape);
  check_batch_ndim(density.op.name, batch_ndim, static_cast<int64_t>(shape.size()), "the sample");
  return shape.slice(0, batch_ndim);
}

}  // namespace

std::tuple<Tensor, Tensor> row_sample(const DensityInfo& density, const Operands& in,
                                      const Tensor& seed, c10::SymIntArrayRef shape,
                                      int64_t batch_ndim) {
  const auto batch = check_shape(density, in, seed, shape, batch_ndim);
  const Tensor z = at::empty_symint(shape, in[0].options().dtype(sample_dtype(density, in)));
  if (z.is_meta())
    return {
        z, density.sums ? at::empty_symint(batch, z.options().dtype(compute_dtype(in))) : Tensor()};
  RowCall call(kernel_of(density, in, false), in, z.sizes(), batch_ndim, density.sums);
  const Tensor value = density.sums ? call.value_tensor() : Tensor();
  call.plan().read_noise(seed);
  call.plan().write(kSample, z);
  call.run(value);
  return {z, value};
}

Grads row_sample_backward(const DensityInfo& density, const Tensor& grad_z,
                          const Tensor& grad_value, const Operands& in, const Tensor& seed,
                          c10::SymIntArrayRef shape, int64_t batch_ndim, const Mask& mask) {
  check_mask(density.op.name, mask, in.size());
  const auto batch = check_shape(density, in, seed, shape, batch_ndim);
  if (grad_z.defined() || !density.sums)
    check_gradient(density.op.name, density.sums ? "grad_z" : "grad", grad_z, shape,
                   sample_dtype(density, in), in[0]);
  if (grad_value.defined())
    check_gradient(density.op.name, "grad_value", grad_value, batch, compute_dtype(in), in[0]);
  if (in[0].is_meta()) return meta_grads(in, mask);
  RowCall call(kernel_of(density, in, false), in, C10_AS_INTARRAYREF_SLOW(shape), batch_ndim,
               density.sums);
  call.plan().read_noise(seed);
  if (grad_z.defined()) call.plan().read(kGradSample, grad_z);
  if (grad_value.defined()) call.plan().read_per_row(kGradValue, grad_value);
  call.want(mask, grad_value.defined() ? 1 : 0);
  call.run();
  return call.gradients();
}

}  // namespace pyvae
