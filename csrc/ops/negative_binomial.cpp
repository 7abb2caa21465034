#include "negative_binomial.h"

namespace pyvae {

const RowOp& negative_binomial_log_prob_op(const Operands&, bool of_data) {
#define PYVAE_ROW_OP(variable, kernel)                                                             \
  static const RowOp variable{                                                                     \
      "negative_binomial_log_prob", Kernel::kernel, {"x", "mean", "inverse_dispersion"}, 2, 1}
  PYVAE_ROW_OP(plain, negative_binomial_log_prob);
  PYVAE_ROW_OP(with_data, negative_binomial_log_prob_of_data);
#undef PYVAE_ROW_OP
  return of_data ? with_data : plain;
}

const RowOp& zero_inflated_negative_binomial_log_prob_op(const Operands&, bool of_data) {
#define PYVAE_ROW_OP(variable, kernel)                                                             \
  static const RowOp variable{"zero_inflated_negative_binomial_log_prob",                          \
                              Kernel::kernel,                                                      \
                              {"x", "mean", "inverse_dispersion", "zi_logits"},                    \
                              2,                                                                   \
                              1}
  PYVAE_ROW_OP(plain, zero_inflated_negative_binomial_log_prob);
  PYVAE_ROW_OP(with_data, zero_inflated_negative_binomial_log_prob_of_data);
#undef PYVAE_ROW_OP
  return of_data ? with_data : plain;
}

}  // namespace pyvae
