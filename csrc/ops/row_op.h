// The ops of the row loop: check, allocate, run. They know neither density nor device.
#pragma once

#include "plan.h"

namespace pyvae {

using Grads = c10::SmallVector<Tensor, kMaxIn>;
using Mask = std::array<bool, kMaxIn>;

// sum over the event of the density's value: (*batch).
Tensor row_value(const RowOp& op, const Operands& in, int64_t batch_ndim);

// Gradients of the operands in `mask`, given that of the value; undefined where not wanted.
Grads row_backward(const RowOp& op, const Tensor& grad, const Operands& in, int64_t batch_ndim,
                   const Mask& mask);

// Value and gradients times scale (and times the number `weight`, where defined), in one pass; no
// scale means -1 / rows, the factor that a loss of -mean() will ask for. `overwrite`: the operand
// whose storage its gradient takes (that gradient is then not returned), or none.
Tensor row_value_grad(const RowOp& op, const Operands& in, int64_t batch_ndim, const Mask& mask,
                      const Tensor& weight, std::optional<double> scale, Grads& grads,
                      int overwrite = -1);
// Which of these gradients can come with the value: none; those of every row apart, which can be
// scaled row by row; or such as are sums over all rows, of use only where one number scales them.
enum class Pass { none, rows, sums };
Pass one_pass(const RowOp& op, const Operands& in, int64_t batch_ndim, const Mask& mask);

// A sample of `shape`, from mean and logvar that broadcast to it.
Tensor row_sample(const RowOp& op, const Operands& in, const Tensor& seed,
                  c10::SymIntArrayRef shape);
Grads row_sample_backward(const RowOp& op, const Tensor& grad_z, const Operands& in,
                          const Tensor& seed, const Mask& mask);
// A sample and a value of it: z (*shape), value (*shape[:batch_ndim]).
std::tuple<Tensor, Tensor> row_sample_value(const RowOp& op, const Operands& in, const Tensor& seed,
                                            c10::SymIntArrayRef shape, int64_t batch_ndim);
Grads row_sample_value_backward(const RowOp& op, const Tensor& grad_z, const Tensor& grad_value,
                                const Operands& in, const Tensor& seed, c10::SymIntArrayRef shape,
                                int64_t batch_ndim, const Mask& mask);

}  // namespace pyvae
