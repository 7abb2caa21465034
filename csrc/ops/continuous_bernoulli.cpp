#include "continuous_bernoulli.h"

namespace pyvae {

const RowOp& continuous_bernoulli_log_prob_op(const Operands&, bool) {
  static const RowOp op{"continuous_bernoulli_log_prob",
                        Kernel::continuous_bernoulli_log_prob,
                        {"x", "logits"},
                        2,
                        1};
  return op;
}

}  // namespace pyvae
