#include "discretized_logistic.h"

#include <c10/util/Exception.h>

namespace pyvae {

const RowOp& discretized_logistic_log_prob_op(const Operands& in, bool) {
#define PYVAE_ROW_OP(variable, kernel)                                                             \
  static const RowOp variable{                                                                     \
      "discretized_logistic_log_prob", Kernel::kernel, {"x", "mean", "log_scale"}, 2, 1}
  PYVAE_ROW_OP(levels, discretized_logistic_levels);
  PYVAE_ROW_OP(scaled, discretized_logistic_scaled);
#undef PYVAE_ROW_OP
  const auto dtype = in[0].scalar_type();
  if (dtype == at::kByte) return levels;
  if (!is_kernel_float(dtype))
    C10_THROW_ERROR(TypeError, c10::str(levels.name, ": x must be uint8 levels, or float32, ",
                                        "float64, bfloat16 or float16 from -1 to 1, got ", dtype));
  return scaled;
}

}  // namespace pyvae
