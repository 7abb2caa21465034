// Argument checks and shapes. Every message names op, argument, what was expected and what came.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

#include "backend.h"

namespace pyvae {

using at::Tensor;
template <class I>
using Shape = c10::SmallVector<I, 6>;
using Operands = c10::SmallVector<Tensor, kMaxIn>;

// A density as an op: its kernel, the names of its operands, and how many of them (the first ones)
// must have the full event shape. The others may broadcast freely.
struct RowOp {
  const char* name;
  Kernel kernel;
  std::initializer_list<const char*> args;
  int full;
  int data = 0;  // the first `data` operands may also be bool or uint8
};

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

// Dtypes and devices; empty where all is well.
void check_operands(const RowOp& op, const Operands& in);

// That the incoming gradient of a value is on the operands' device.
void check_gradient(const RowOp& op, const Tensor& grad, const Operands& in);

// float64 if any operand is, float32 otherwise: what kernels compute in and values are returned in.
at::ScalarType compute_dtype(const Operands& in);

// The shape all operands broadcast to, of which the first batch_ndim dimensions are kept.
template <class I>
Shape<I> broadcast(const RowOp& op, const Operands& in, int64_t batch_ndim);

extern template Shape<int64_t> broadcast(const RowOp&, const Operands&, int64_t);
extern template Shape<c10::SymInt> broadcast(const RowOp&, const Operands&, int64_t);

// Dtypes and devices, and that every operand broadcasts to the shape of the sample.
void check_sample(const RowOp& op, const Operands& in, const Tensor& seed,
                  c10::SymIntArrayRef shape);

}  // namespace pyvae
