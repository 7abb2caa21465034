// One call of the row loop being put together.
#pragma once

#include "backend.h"
#include "row_op.h"

namespace pyvae {

using Ints = c10::ArrayRef<int64_t>;

class RowCall {
 public:
  // sums: the op has a value of each row of `batch_ndim` dimensions.
  RowCall(const RowOp& op, const Operands& in, Ints shape, int64_t batch_ndim, bool sums);

  Plan& plan() { return plan_; }

  // Allocates the gradients that are wanted.
  void want(const Mask& mask, double scale = 1, int overwrite = -1);
  Tensor value_tensor() const;

  // The value (if `value` is defined), the sample and the gradients that need no sum, in one pass.
  void forward(const Tensor& value, Mode mode);
  // Value and gradients, in one pass where there is one for them.
  void value_and_gradients(const Tensor& value);
  Grads backward();
  // Gradients in the layout of the operands as they were given.
  Grads finish();

 private:
  void run(Mode mode, const Rows& r) const { device_->run(op_.kernel, double_, mode, r); }
  Tensor scratch(Ints sizes) const;
  void gradients();
  // The gradients of a group that are summed over the same dimensions, and those of `full` and the
  // parts of the value in the same pass.
  void columns(const Rows& group, const Rows* full, double* row_value = nullptr);
  void row_sums(const Rows& all, int i);
  // The gradient's own dimensions are those it has strides along; the others are summed over.
  void sum_rows(const Rows& r, int i, const Tensor& partial);

  const RowOp& op_;
  Operands originals_, in_;
  Plan plan_;
  Ints batch_;
  const Backend* device_;
  bool double_, empty_;
  double scale_ = 1;
  Grads grads_;
};

}  // namespace pyvae
