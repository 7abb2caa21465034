// One call of the row loop being put together.
#pragma once

#include "plan.h"
#include "row_op.h"
#include "schedule.h"

namespace pyvae {

class RowCall {
 public:
  // sums: the op has a value of each row of `batch_ndim` dimensions.
  RowCall(const Kernel& kernel, const Operands& in, Ints shape, int64_t batch_ndim, bool sums);

  Plan& plan() { return plan_; }

  // Allocates the gradients that are wanted.
  void want(const Mask& mask, double scale = 1, int overwrite = -1);
  // Asks for those that are defined, in place of what was made of them for the incoming gradient
  // `folded`: rows that have that one are left alone.
  void want_again(const Grads& made, double scale, double folded);
  Tensor value_tensor() const;

  // Makes all that the plan has room for, and the value where it is defined.
  void run(const Tensor& value = {});
  // The gradients, in the layout of the operands as they were given.
  Grads gradients();

 private:
  Kernel kernel_;
  const Backend* device_;
  bool elements_;  // each row is one element, and the plan's rows are many of them
  Operands originals_, in_;
  Plan plan_;
  Ints batch_;
  bool empty_;
  double scale_ = 1, ready_ = __builtin_nan("");
  Grads grads_;
};

}  // namespace pyvae
