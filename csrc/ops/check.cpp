#include "check.h"

#include <c10/util/Exception.h>

#include <algorithm>

namespace pyvae {

bool is_kernel_float(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kDouble || dtype == at::kBFloat16 ||
         dtype == at::kHalf;
}
bool is_kernel_integer(at::ScalarType dtype) {
  return dtype == at::kByte || dtype == at::kBool || dtype == at::kShort || dtype == at::kInt ||
         dtype == at::kLong;
}

namespace {

// Whether float32 holds every one of these integers, as far as the host may look.
template <class T>
bool in_float32(const Tensor& t) {
  constexpr T kMost = T{1} << 24;
  const Tensor all = t.contiguous();
  const T* p = all.const_data_ptr<T>();
  T least = 0, most = 0;
  for (int64_t i = 0; i < all.numel(); ++i)
    least = std::min(least, p[i]), most = std::max(most, p[i]);
  return least >= -kMost && most <= kMost;
}
bool in_float32(const Tensor& t) {
  if (t.is_meta() || !on_host(t.device().type())) return true;
  if (t.scalar_type() == at::kInt) return in_float32<int32_t>(t);
  return t.scalar_type() != at::kLong || in_float32<int64_t>(t);
}

}  // namespace

void check_defined(const Signature& op, const Operands& in) {
  for (size_t i = 0; i < in.size(); ++i)
    if (!in[i].defined())
      C10_THROW_ERROR(TypeError,
                      c10::str(op.name, ": ", op.operands[i], " must be a tensor, got None"));
}

void check_operands(const Signature& op, const Operands& in) {
  check_defined(op, in);
  for (size_t i = 0; i < in.size(); ++i) {
    const auto dtype = in[i].scalar_type();
    const bool data = static_cast<int32_t>(i) < op.data;
    if (!is_kernel_float(dtype) && !(data && is_kernel_integer(dtype)))
      C10_THROW_ERROR(
          TypeError,
          c10::str(op.name, ": ", op.operands[i], " must be float32, float64, bfloat16",
                   data ? ", float16, or bool or an integer" : " or float16", ", got ", dtype));
    if (in[i].device() != in[0].device())
      C10_THROW_ERROR(ValueError,
                      c10::str(op.name, ": ", op.operands[i], " must be on ", in[0].device(),
                               " like ", op.operands[0], ", got ", in[i].device()));
  }
  for (int32_t i = 0; i < op.data; ++i)
    if (in[i].element_size() >= 4 && !is_kernel_float(in[i].scalar_type()) &&
        compute_dtype(in) == at::kFloat && !in_float32(in[i]))
      C10_THROW_ERROR(ValueError,
                      c10::str(op.name, ": ", op.operands[i], " has integers beyond 2^24, which ",
                               "float32 cannot hold; pass float64 parameters, or floats"));
}

void check_gradient(const char* op, const char* which, const Tensor& grad,
                    c10::SymIntArrayRef shape, at::ScalarType dtype, const Tensor& like) {
  if (!grad.defined())
    C10_THROW_ERROR(ValueError, c10::str(op, "_backward: ", which, " must be a tensor, got None"));
  if (grad.sym_sizes() != shape)
    C10_THROW_ERROR(ValueError, c10::str(op, "_backward: ", which, " must have the shape ", shape,
                                         " of its result, got ", grad.sym_sizes()));
  if (grad.scalar_type() != dtype)
    C10_THROW_ERROR(TypeError, c10::str(op, "_backward: ", which, " must be ", dtype,
                                        " like its result, got ", grad.scalar_type()));
  if (grad.device() != like.device())
    C10_THROW_ERROR(ValueError, c10::str(op, "_backward: ", which, " must be on ", like.device(),
                                         " like the operands, got ", grad.device()));
}

void check_batch_ndim(const char* op, int64_t batch_ndim, int64_t ndim, const char* what) {
  if (batch_ndim < 0 || batch_ndim > ndim)
    C10_THROW_ERROR(ValueError, c10::str(op, ": batch_ndim must be between 0 and ", ndim,
                                         ", the dimensions of ", what, ", got ", batch_ndim));
}

at::ScalarType compute_dtype(const Operands& in) {
  for (const Tensor& t : in)
    if (t.scalar_type() == at::kDouble) return at::kDouble;
  return at::kFloat;
}

template <class I>
Shape<I> broadcast(const Signature& op, const Operands& in, int64_t batch_ndim) {
  check_operands(op, in);
  int64_t ndim = 0;
  for (const Tensor& t : in) ndim = std::max(ndim, t.dim());
  check_batch_ndim(op.name, batch_ndim, ndim, "the broadcast result");
  const char* const* arg = op.operands;
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
template Shape<int64_t> broadcast(const Signature&, const Operands&, int64_t);
template Shape<c10::SymInt> broadcast(const Signature&, const Operands&, int64_t);

void check_sample(const Signature& op, const Operands& in, const Tensor& seed,
                  c10::SymIntArrayRef shape) {
  check_operands(op, in);
  const auto fits = [&](c10::SymIntArrayRef sizes) {
    if (sizes.size() > shape.size()) return false;
    for (size_t d = 0; d < sizes.size(); ++d)
      if (sizes[d] != 1 && sizes[d] != shape[shape.size() - sizes.size() + d]) return false;
    return true;
  };
  const char* const* arg = op.operands;
  for (size_t i = 0; i < in.size(); ++i)
    if (!fits(in[i].sym_sizes()))
      C10_THROW_ERROR(ValueError,
                      c10::str(op.name, ": ", arg[i], " must broadcast to the sample's shape ",
                               shape, ", got shape ", in[i].sym_sizes()));
  if (seed.scalar_type() != at::kLong)
    C10_THROW_ERROR(TypeError, c10::str(op.name, ": seed must be int64, got ", seed.scalar_type()));
  if (seed.device() != in[0].device())
    C10_THROW_ERROR(ValueError, c10::str(op.name, ": seed must be on ", in[0].device(), " like ",
                                         arg[0], ", got ", seed.device()));
  if (seed.dim() > 1 || (seed.dim() == 1 && (shape.empty() || seed.sym_size(0) != shape[0])))
    C10_THROW_ERROR(ValueError,
                    c10::str(op.name, ": seed must have shape (), or one stream for each index of ",
                             "the first dimension of ", shape, ", got shape ", seed.sym_sizes()));
}

}  // namespace pyvae
