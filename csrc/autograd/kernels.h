// The kernels that join each op to its derivative. They are boxed, and know an op by its OpInfo.
#pragma once

#include "op_info.h"

namespace pyvae {

void autograd_forward(const OpInfo& info, const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                      Stack* stack);
void autograd_backward(const OpInfo& info, const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                       Stack* stack);
// Of the op `name_inplace`, which may overwrite its argument 1 with the gradient.
void autograd_inplace(const OpInfo& info, const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                      Stack* stack);

}  // namespace pyvae
