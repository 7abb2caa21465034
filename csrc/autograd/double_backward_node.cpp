#include "double_backward_node.h"

#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

namespace pyvae {

ag::variable_list reference_vjp(const OpInfo& op, const Values& grads, const Values& args,
                                const Mask& wanted) {
  Stack stack(args.begin(), args.end());
  op.reference.callBoxed(&stack);
  ag::variable_list outputs, incoming, inputs;
  for (size_t k = 0; k < grads.size(); ++k) {
    if (!has_tensor(grads[k]) || !stack[k].toTensor().requires_grad()) continue;
    outputs.push_back(stack[k].toTensor());
    incoming.push_back(grads[k].toTensor());
  }
  std::vector<size_t> places;
  size_t tensor = 0;
  for (const auto& v : args) {
    if (tensor == op.tensors) break;
    if (!v.isTensor() && !v.isNone()) continue;
    if (has_tensor(v) && wanted[tensor] && is_float(v.toTensor())) {
      inputs.push_back(v.toTensor());
      places.push_back(tensor);
    }
    ++tensor;
  }
  ag::variable_list result(tensor);
  if (outputs.empty() || inputs.empty()) return result;
  auto found = ag::grad(outputs, inputs, incoming, /*retain_graph=*/true, /*create_graph=*/true,
                        /*allow_unused=*/true);
  for (size_t i = 0; i < places.size(); ++i)
    result[places[i]] = found[i].defined() ? found[i] : at::zeros_like(inputs[i]);
  return result;
}

ag::variable_list DoubleBackwardNode::apply(ag::variable_list&& grads) {
  std::lock_guard<std::mutex> lock(mutex);
  const bool create_graph = at::GradMode::is_enabled();
  at::AutoGradMode enable(true);
  Aliased alias(saved.unpack());
  const auto first = alias.args.begin() + op->results;
  const Values incoming(alias.args.begin(), first), args(first, alias.args.end() - 1);
  const auto g = reference_vjp(*op, incoming, args, bools_of(alias.args.back()));
  ag::variable_list outputs, weights, inputs;
  for (size_t i = 0; i < g.size(); ++i) {
    if (!g[i].defined() || !grads[i].defined() || !g[i].requires_grad()) continue;
    outputs.push_back(g[i]);
    weights.push_back(grads[i]);
  }
  ag::variable_list result(num_outputs());
  if (outputs.empty()) return result;
  std::vector<size_t> places;
  size_t edge = 0, next = 0;
  for (size_t i = 0; i < alias.args.size(); ++i) {
    if (!has_tensor(alias.args[i])) continue;
    const bool is_alias = next < alias.floats.size() && alias.floats[next] == i;
    next += is_alias;
    if (is_alias && task_should_compute_output(edge)) {
      inputs.push_back(alias.args[i].toTensor());
      places.push_back(edge);
    }
    ++edge;
  }
  auto found = ag::grad(outputs, inputs, weights, true, create_graph, true);
  for (size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
  return result;
}

}  // namespace pyvae
