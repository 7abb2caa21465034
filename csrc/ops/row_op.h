// The ops of the row loop: check, allocate, schedule, run. They know neither density nor device.
#pragma once

#include <array>

#include "check.h"

namespace pyvae {

using Mask = c10::SmallVector<bool, 4>;
using Grads = c10::SmallVector<Tensor, 4>;

void check_mask(const char* op, const Mask& mask, size_t count);

// The kernels of these operands; `of_data`: with the gradient of the data, which may cost more.
Kernel kernel_of(const DensityInfo& density, const Operands& in, bool of_data);

// sum over the event of the density's value: (*batch).
Tensor row_value(const DensityInfo& density, const Operands& in, int64_t batch_ndim);

// Gradients of the operands in `mask`, given that of the value; undefined where not wanted.
Grads row_backward(const DensityInfo& density, const Tensor& grad, const Operands& in,
                   int64_t batch_ndim, const Mask& mask);

// Value and gradients times scale (and times the number `weight`, where defined), in one pass; no
// scale means -1 / rows, the factor that a loss of -mean() will ask for. `overwrite`: the operand
// whose storage its gradient takes (that gradient is then not returned), or none.
Tensor row_value_grad(const DensityInfo& density, const Operands& in, int64_t batch_ndim,
                      const Mask& mask, const Tensor& weight, std::optional<double> scale,
                      Grads& grads, int overwrite = -1);

// The same gradients again, in the memory of those that were made for the incoming gradient
// `folded` (those that are defined): of rows that now have another one, `grad` times scale; sums
// over rows where any row has another one.
void row_refill(const DensityInfo& density, const Tensor& grad, const Operands& in,
                int64_t batch_ndim, double scale, double folded, const Grads& made);

// Which of these gradients can come with the value: none; those of every row apart, which can be
// scaled row by row; or such as are sums over all rows, which one number can scale, but no others.
enum class OnePass { none, rows, sums };
OnePass one_pass(const DensityInfo& density, const Operands& in, int64_t batch_ndim,
                 const Mask& mask);

// A sample of `shape`, from operands that broadcast to it, and where the density has one a value of
// it: z (*shape), value (*shape[:batch_ndim]).
std::tuple<Tensor, Tensor> row_sample(const DensityInfo& density, const Operands& in,
                                      const Tensor& seed, c10::SymIntArrayRef shape,
                                      int64_t batch_ndim);
// Either incoming gradient may be undefined.
Grads row_sample_backward(const DensityInfo& density, const Tensor& grad_z,
                          const Tensor& grad_value, const Operands& in, const Tensor& seed,
                          c10::SymIntArrayRef shape, int64_t batch_ndim, const Mask& mask);

}  // namespace pyvae
