// Argument checks and shapes. Every message names op, argument, what was expected and what came.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

#include <array>
#include <optional>

#include "backend.h"

namespace pyvae {

using at::Tensor;
using Optional = std::optional<Tensor>;
using Ints = c10::ArrayRef<int64_t>;
template <class I>
using Shape = c10::SmallVector<I, 6>;
using Operands = c10::SmallVector<Tensor, 4>;
template <size_t n>
using Masks = std::array<bool, n>;

template <class I>
c10::ArrayRef<I> sizes_of(const Tensor& t);
template <>
inline c10::ArrayRef<int64_t> sizes_of(const Tensor& t) {
  return t.sizes();
}
template <>
inline c10::ArrayRef<c10::SymInt> sizes_of(const Tensor& t) {
  return t.sym_sizes();
}

bool is_kernel_float(at::ScalarType dtype);
// Integers, and bool.
bool is_kernel_integer(at::ScalarType dtype);

// That no operand is None.
void check_defined(const Signature& op, const Operands& in);
// Dtypes and devices.
void check_operands(const Signature& op, const Operands& in);

// That an incoming gradient (`which`, as "grad") is there and is one of the result that `like`
// stands for: of this shape and dtype, on the device of `like`.
void check_gradient(const char* op, const char* which, const Tensor& grad,
                    c10::SymIntArrayRef shape, at::ScalarType dtype, const Tensor& like);

// That batch_ndim is between 0 and the dimensions of `what`.
void check_batch_ndim(const char* op, int64_t batch_ndim, int64_t ndim, const char* what);

// float64 if any operand that is no integer is, float32 otherwise: what kernels compute in and
// values are returned in.
at::ScalarType compute_dtype(const Operands& in);

// The shape all operands broadcast to, of which the first batch_ndim dimensions are kept.
template <class I>
Shape<I> broadcast(const Signature& op, const Operands& in, int64_t batch_ndim);

extern template Shape<int64_t> broadcast(const Signature&, const Operands&, int64_t);
extern template Shape<c10::SymInt> broadcast(const Signature&, const Operands&, int64_t);

// Dtypes and devices, and that every operand broadcasts to the shape of the sample.
void check_sample(const Signature& op, const Operands& in, const Tensor& seed,
                  c10::SymIntArrayRef shape);

}  // namespace pyvae
