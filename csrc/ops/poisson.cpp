#include "poisson.h"

namespace pyvae {

const RowOp& poisson_log_prob_op(const Operands&, bool of_data) {
  static const RowOp plain{"poisson_log_prob", Kernel::poisson_log_prob, {"x", "log_rate"}, 2, 1};
  static const RowOp with_data{
      "poisson_log_prob", Kernel::poisson_log_prob_of_data, {"x", "log_rate"}, 2, 1};
  return of_data ? with_data : plain;
}

}  // namespace pyvae
