// Joins each op to its backward: three boxed kernels serve every op, by the naming of ops/all.h.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

namespace pyvae {

void autograd_forward(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                      torch::jit::Stack* stack);
void autograd_backward(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                       torch::jit::Stack* stack);

// The op `name` that may overwrite its argument 1 with the gradient.
void autograd_inplace(const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                      torch::jit::Stack* stack);

}  // namespace pyvae
