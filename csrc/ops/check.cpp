#include "check.h"

#include <c10/util/Exception.h>

namespace pyvae {

bool is_kernel_float(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kDouble || dtype == at::kBFloat16 ||
         dtype == at::kHalf;
}

void check_operands(const RowOp& op, const Operands& in) {
  const char* const* arg = op.args.begin();
  for (size_t i = 0; i < in.size(); ++i) {
    const auto dtype = in[i].scalar_type();
    const bool data = static_cast<int>(i) < op.data;
    if (!is_kernel_float(dtype) && !(data && (dtype == at::kBool || dtype == at::kByte)))
      C10_THROW_ERROR(TypeError,
                      c10::str(op.name, ": ", arg[i], " must be float32, float64, bfloat16",
                               data ? ", float16, bool or uint8" : " or float16", ", got ", dtype));
    if (in[i].device() != in[0].device())
      C10_THROW_ERROR(ValueError, c10::str(op.name, ": ", arg[i], " must be on ", in[0].device(),
                                           " like ", arg[0], ", got ", in[i].device()));
  }
}

void check_gradient(const RowOp& op, const Tensor& grad, const Operands& in) {
  if (grad.device() != in[0].device())
    C10_THROW_ERROR(ValueError,
                    c10::str(op.name, "_backward: the incoming gradient must be on ",
                             in[0].device(), " like ", *op.args.begin(), ", got ", grad.device()));
}

at::ScalarType compute_dtype(const Operands& in) {
  for (const Tensor& t : in)
    if (t.scalar_type() == at::kDouble) return at::kDouble;
  return at::kFloat;
}

template <class I>
Shape<I> broadcast(const RowOp& op, const Operands& in, int64_t batch_ndim) {
  check_operands(op, in);
  int64_t ndim = 0;
  for (const Tensor& t : in) ndim = std::max(ndim, t.dim());
  if (batch_ndim < 0 || batch_ndim > ndim)
    C10_THROW_ERROR(ValueError,
                    c10::str(op.name, ": batch_ndim must be between 0 and ", ndim,
                             ", the dimensions of the broadcast result, got ", batch_ndim));
  const char* const* arg = op.args.begin();
  Shape<I> shape(ndim, I(1));
  for (size_t i = 0; i < in.size(); ++i) {
    const auto sizes = sizes_of<I>(in[i]);
    const int64_t shift = ndim - static_cast<int64_t>(sizes.size());
    for (size_t d = 0; d < sizes.size(); ++d) {
      I& out = shape[d + shift];
      if (out == I(1))
        out = sizes[d];
      else if (sizes[d] != I(1) && sizes[d] != out)
        C10_THROW_ERROR(ValueError, c10::str(op.name, ": ", arg[i], " of shape ", sizes,
                                             " does not broadcast with ", arg[0], " of shape ",
                                             sizes_of<I>(in[0])));
    }
  }
  const int64_t event = ndim - batch_ndim;
  const c10::ArrayRef<I> expected = c10::ArrayRef<I>(shape).slice(batch_ndim);
  for (int i = 0; i < op.full; ++i) {
    const auto sizes = sizes_of<I>(in[i]);
    const int64_t n = static_cast<int64_t>(sizes.size());
    bool equal = n >= event;
    for (int64_t d = 0; equal && d < event; ++d) equal = sizes[n - event + d] == expected[d];
    if (!equal)
      C10_THROW_ERROR(
          ValueError,
          c10::str(op.name, ": ", arg[0], " of shape ", sizes_of<I>(in[0]), " and ",
                   arg[i ? i : op.full > 1], " of shape ", sizes_of<I>(in[i ? i : op.full > 1]),
                   " must have equal event shapes, here the last ", event,
                   " dimensions (batch_ndim=", batch_ndim, "); expected ", expected, " of ", arg[i],
                   ". Only batch dimensions may be missing or 1"));
  }
  return shape;
}
template Shape<int64_t> broadcast(const RowOp&, const Operands&, int64_t);
template Shape<c10::SymInt> broadcast(const RowOp&, const Operands&, int64_t);

void check_sample(const RowOp& op, const Operands& in, const Tensor& seed,
                  c10::SymIntArrayRef shape) {
  check_operands(op, in);
  const auto fits = [&](c10::SymIntArrayRef sizes) {
    if (sizes.size() > shape.size()) return false;
    for (size_t d = 0; d < sizes.size(); ++d)
      if (sizes[d] != 1 && sizes[d] != shape[shape.size() - sizes.size() + d]) return false;
    return true;
  };
  const char* const* arg = op.args.begin();
  for (size_t i = 0; i < in.size(); ++i)
    if (!fits(in[i].sym_sizes()))
      C10_THROW_ERROR(ValueError,
                      c10::str(op.name, ": ", arg[i], " must broadcast to the sample's shape ",
                               shape, ", got shape ", in[i].sym_sizes()));
  if (seed.scalar_type() != at::kLong)
    C10_THROW_ERROR(TypeError, c10::str(op.name, ": seed must be int64, got ", seed.scalar_type()));
  if (seed.device() != in[0].device())
    C10_THROW_ERROR(ValueError, c10::str(op.name, ": seed must be on ", in[0].device(),
                                         " like mean, got ", seed.device()));
  if (seed.dim() > 1 || (seed.dim() == 1 && (shape.empty() || seed.sym_size(0) != shape[0])))
    C10_THROW_ERROR(ValueError,
                    c10::str(op.name, ": seed must have shape (), or one stream for each index of ",
                             "the first dimension of ", shape, ", got shape ", seed.sym_sizes()));
}

}  // namespace pyvae
