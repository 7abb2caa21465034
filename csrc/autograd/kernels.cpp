#include "kernels.h"

#include <ATen/TensorSubclassLikeUtils.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "backward_node.h"
#include "double_backward_node.h"

namespace pyvae {
namespace {

using NodePtr =
    decltype(ag::Edge::function);  // intrusive_ptr from torch 2.13 on, shared_ptr before

template <class N, class Ptr = NodePtr>
N* make_node(Ptr& owner) {
  N* node;
  if constexpr (std::is_same_v<Ptr, std::shared_ptr<ag::Node>>) {
    node = new N();
    owner = Ptr(node, [](auto* n) { deleteNode(n); });
  } else {
    auto made = c10::make_intrusive<N>();
    node = made.get();
    owner = std::move(made);
  }
  return node;
}

// Which tensor arguments want a gradient; records in the node which arguments are None.
Mask wanted(const OpInfo& info, const Values& args, BackwardNode* node) {
  Mask mask;
  for (size_t i = 0; mask.size() < info.tensors; ++i) {
    const auto& v = args[i];
    if (!v.isTensor() && !v.isNone()) continue;
    const bool defined = has_tensor(v);
    if (node) node->optional_none.push_back(!defined);
    mask.push_back(defined && v.toTensor().requires_grad());
  }
  return mask;
}

// The kernels have no gradient of data: where one is asked for, the reference takes the call.
bool wants_gradient_of_data(const OpInfo& info, const Values& args) {
  if (!at::GradMode::is_enabled()) return false;
  for (size_t i = 0; i < info.data; ++i)
    if (args[i].toTensor().requires_grad()) return true;
  return false;
}

// torch.func always builds a graph of the backward, which cannot use ready-made gradients, and a
// tracer plans memory itself.
bool all_plain(const Values& args) {
  for (const auto& v : args)
    if (has_tensor(v) && at::isTensorSubclassLike(v.toTensor())) return false;
  return true;
}

c10::DeviceType first_device(const Values& args) { return args[0].toTensor().device().type(); }

// Runs value and gradients; the value stays on the stack, the gradients go to the node.
void run_one_pass(const c10::OperatorHandle& op, const Mask& mask, BackwardNode* node,
                  Stack* stack) {
  stack->push_back(bools(mask));
  {
    at::AutoDispatchBelowADInplaceOrView guard;
    op.callBoxed(stack);
  }
  const size_t grads = mask.size(), first = stack->size() - grads;
  for (size_t i = 0; i < grads; ++i) {
    node->saved_grads.emplace_back();
    if (!has_tensor((*stack)[first + i])) continue;
    const Tensor g = (*stack)[first + i].toTensor();
    node->saved_grads.back().emplace(g, false);
    node->saved_numel += g.numel();
    node->rounded |= g.element_size() < 4;
  }
  torch::jit::drop(*stack, grads);
  if (node->op->folds_rows)
    node->folded = -1. / static_cast<double>(stack->back().toTensor().numel());
}

void attach(const NodePtr& owner, size_t results, Stack* stack) {
  for (size_t k = stack->size() - results; k < stack->size(); ++k) {
    // An undefined result keeps its place among the node's inputs.
    Tensor out = has_tensor((*stack)[k]) ? (*stack)[k].toTensor() : Tensor();
    ag::set_history(out, owner);
  }
}

BackwardNode* backward_node(const OpInfo& info, const Values& args, NodePtr& owner) {
  BackwardNode* node = make_node<BackwardNode>(owner);
  node->op = &info;
  node->set_next_edges(edges_of(args));
  node->saved.save(args);
  return node;
}

// The history of a tensor that was overwritten with its gradient: it says so to whoever uses it.
struct OverwrittenNode : ag::Node {
  const OpInfo* op = nullptr;
  std::string name() const override { return op->name + "_overwritten"; }
  ag::variable_list apply(ag::variable_list&&) override {
    TORCH_CHECK(false, op->name,
                ": inplace=True overwrote argument 1 with its gradient, so it has "
                "no use after the call; drop inplace=True to use it again");
  }
};

// A tensor of this call alone: its storage may become its gradient's.
bool may_overwrite(const OpInfo& info, const Values& args, const Tensor& t, const Mask& mask) {
  if (!all_plain(args) || !backend(t.device().type())) return false;
  for (size_t i = 0; i < args.size(); ++i)
    if (i != 1 && has_tensor(args[i]) && args[i].toTensor().is_alias_of(t)) return false;
  // A gradient of 16 bits may have to be made again, from what would be overwritten.
  for (size_t i = 0, k = 0; k < mask.size(); ++i) {
    if (!args[i].isTensor() && !args[i].isNone()) continue;
    if (mask[k++] && args[i].toTensor().element_size() < 4) return false;
  }
  if (!t.is_non_overlapping_and_dense() || info.one_pass(args, mask, false) == OnePass::none)
    return false;
  const auto* view = ag::impl::get_view_autograd_meta(t);
  return !view || !view->has_bw_view() || view->get_creation_meta() == ag::CreationMeta::DEFAULT;
}

}  // namespace

void autograd_forward(const OpInfo& info, const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                      Stack* stack) {
  const Values args(stack->end() - info.args, stack->end());
  if (any_tangent(args) || wants_gradient_of_data(info, args))
    return info.reference.callBoxed(stack);
  if (!any_requires_grad(args)) return redispatch(op, keys, stack);
  NodePtr owner;
  BackwardNode* node = backward_node(info, args, owner);
  const Mask mask = wanted(info, args, node);
  const bool can = info.value_grad && all_plain(args) && backend(first_device(args));
  const OnePass pass = can ? info.one_pass(args, mask, true) : OnePass::none;
  node->sums = pass == OnePass::sums;
  if (pass != OnePass::none)
    run_one_pass(*info.value_grad, mask, node, stack);
  else
    redispatch(op, keys, stack);
  attach(owner, info.results, stack);
}

void autograd_inplace(const OpInfo& info, const c10::OperatorHandle& op, c10::DispatchKeySet,
                      Stack* stack) {
  const Values args(stack->end() - info.args, stack->end());
  const Tensor& t = args[1].toTensor();
  const bool wants = at::GradMode::is_enabled() && t.requires_grad();
  const bool of_leaf =
      t.is_leaf() || (t.is_view() && t._base().is_leaf() && t._base().requires_grad());
  if (wants && of_leaf && !at::isTensorSubclassLike(t))
    C10_THROW_ERROR(ValueError, c10::str(info.name, ": inplace=True would overwrite ",
                                         op.schema().arguments()[1].name(),
                                         ", a leaf that requires grad or a view of one; pass the "
                                         "output of a layer, or drop inplace=True"));
  Mask mask = wanted(info, args, nullptr);
  if (!wants || any_tangent(args) || !may_overwrite(info, args, t, mask))
    return info.forward.callBoxed(stack);
  NodePtr owner, history;
  BackwardNode* node = backward_node(info, args, owner);
  wanted(info, args, node);
  node->overwrote = true;
  run_one_pass(*info.value_grad_inplace, mask, node, stack);
  ag::impl::bump_version(t);
  node->saved_grads[1].emplace(t.detach(), false);
  auto* overwritten = make_node<OverwrittenNode>(history);
  overwritten->op = &info;
  overwritten->add_next_edge(ag::impl::gradient_edge(t));
  overwritten->add_input_metadata(t);
  ag::impl::rebase_history(t, ag::Edge(history, 0));
  attach(owner, info.results, stack);
}

void autograd_backward(const OpInfo& info, const c10::OperatorHandle& op, c10::DispatchKeySet keys,
                       Stack* stack) {
  const size_t count = info.results + info.args + 1;
  const Values args(stack->end() - count, stack->end());
  if (any_tangent(args)) {
    at::AutoGradMode enable(true);
    const Aliased alias(args);
    const auto first = alias.args.begin() + info.results;
    const auto g = reference_vjp(info, Values(alias.args.begin(), first),
                                 Values(first, alias.args.end() - 1), bools_of(args.back()));
    torch::jit::drop(*stack, count);
    for (const Tensor& t : g) stack->emplace_back(t);
    return;
  }
  if (!any_requires_grad(args)) return redispatch(op, keys, stack);
  NodePtr owner;
  DoubleBackwardNode* node = make_node<DoubleBackwardNode>(owner);
  node->op = &info;
  node->set_next_edges(edges_of(args));
  node->saved.save(args);
  redispatch(op, keys, stack);
  attach(owner, op.schema().returns().size(), stack);
}

}  // namespace pyvae