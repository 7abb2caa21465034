#include "laplace.h"

namespace pyvae {

const RowOp& laplace_log_prob_op(const Operands&, bool) {
  static const RowOp op{
      "laplace_log_prob", Kernel::laplace_log_prob, {"x", "mean", "log_scale"}, 2, 1};
  return op;
}

}  // namespace pyvae
