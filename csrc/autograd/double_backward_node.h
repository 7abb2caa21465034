// Derivatives beyond the first: the specification, differentiated.
#pragma once

#include <mutex>

#include "op_info.h"

namespace pyvae {

// Tensors of the arguments as aliases, so that one tensor in two places has two gradients.
struct Aliased {
  Values args;
  std::vector<size_t> floats;  // positions of floating-point tensors

  explicit Aliased(const Values& given) : args(given) {
    for (size_t i = 0; i < args.size(); ++i) {
      if (!has_tensor(args[i]) || !is_float(args[i].toTensor())) continue;
      Tensor alias = args[i].toTensor().view_as(args[i].toTensor());
      if (!alias.requires_grad()) alias.requires_grad_();
      args[i] = alias;
      floats.push_back(i);
    }
  }
};

// The gradients of the specification, differentiable themselves. `grads` precede `args`.
ag::variable_list reference_vjp(const OpInfo& op, const Values& grads, const Values& args,
                                const Mask& wanted);

// The derivative of a backward op.
struct DoubleBackwardNode : ag::Node {
  const OpInfo* op = nullptr;
  SavedArgs saved;  // incoming gradients, arguments, mask
  std::mutex mutex;

  std::string name() const override { return op->name + "_backward_backward"; }
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex);
    saved.release();
  }
  ag::variable_list apply(ag::variable_list&& grads) override;
};

}  // namespace pyvae
