#include "autograd.h"

#include <ATen/TensorOperators.h>
#include <ATen/TensorSubclassLikeUtils.h>
#include <ATen/core/stack.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <mutex>
#include <unordered_map>

#include "ops/all.h"

namespace pyvae {

std::string strip_defaults(std::string args) {
  size_t at;
  while ((at = args.find('=')) != std::string::npos)
    args.erase(at, std::min(args.find(',', at), args.size()) - at);
  return args;
}

namespace {

namespace ag = torch::autograd;
using torch::jit::Stack;
using Values = std::vector<c10::IValue>;
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

// ---- What an op is joined to ----

// Whether value and gradients can come in one pass; `worth`: and that is likely to move fewer bytes
// than doing the forward's work again.
using OnePass = bool (*)(const Values& args, const std::vector<bool>& mask, bool worth);

struct Joined {
  std::string name;
  size_t args, results;
  c10::OperatorHandle forward, backward, reference;
  std::optional<c10::OperatorHandle> value_grad, value_grad_inplace;
  OnePass one_pass = nullptr;
  bool folds_rows = false;  // the gradients made in one pass are times -1 / rows
};

bool elbo_is_one_pass(const Values& args, const std::vector<bool>& mask, bool) {
  const size_t n = args.size();  // likelihood operands, mean, logvar, beta, reduction
  if (args[n - 1].toInt() == 0 || mask[n - 2]) return false;
  Operands likelihood, kl;
  for (size_t i = 0; i + 4 < n; ++i) likelihood.push_back(args[i].toTensor());
  kl = {args[n - 4].toTensor(), args[n - 3].toTensor()};
  Mask first{}, second{mask[n - 4], mask[n - 3]};
  for (size_t i = 0; i < likelihood.size(); ++i) first[i] = mask[i];
  return one_pass(likelihood.size() == 2 ? kBernoulliLogProb : kGaussianLogProb, likelihood, 1,
                  first) &&
         one_pass(kGaussianKlStandard, kl, 1, second);
}
// A batch of values is mostly averaged and negated: then the gradients are ready. With more batch
// dimensions the incoming gradient is mostly not constant (importance weights), and scaling the
// gradients costs more than making them later.
bool row_is_one_pass(const RowOp& op, const Operands& in, int64_t batch_ndim,
                     const std::vector<bool>& mask, bool worth) {
  if (worth && (batch_ndim != 1 || in[0].dim() != in[1].dim() || in[0].element_size() < 4))
    return false;
  Mask wanted{};
  std::copy(mask.begin(), mask.end(), wanted.begin());
  return one_pass(op, in, batch_ndim, wanted);
}
bool bernoulli_is_one_pass(const Values& args, const std::vector<bool>& mask, bool worth) {
  return row_is_one_pass(kBernoulliLogProb, {args[0].toTensor(), args[1].toTensor()},
                         args[2].toInt(), mask, worth);
}
bool gaussian_is_one_pass(const Values& args, const std::vector<bool>& mask, bool worth) {
  return row_is_one_pass(kGaussianLogProb,
                         {args[0].toTensor(), args[1].toTensor(), args[2].toTensor()},
                         args[3].toInt(), mask, worth);
}

// By the addresses of the schemas of the op, its backward and its permission to overwrite, which
// live as long as the ops do.
struct Table {
  std::unordered_map<std::string, Joined> all;
  std::unordered_map<const void*, const Joined*> by_schema;
};

std::unordered_map<std::string, Joined> join_all() {
  std::unordered_map<std::string, Joined> all;
  auto& dispatcher = c10::Dispatcher::singleton();
  const auto find = [&](const std::string& name) {
    return dispatcher.findSchemaOrThrow(("pyvae::" + name).c_str(), "");
  };
  const auto add = [&](const std::string& name) {
    const auto op = find(name);
    all.emplace("pyvae::" + name, Joined{name,
                                         op.schema().arguments().size(),
                                         op.schema().returns().size(),
                                         op,
                                         find(name + "_backward"),
                                         find(name + "_reference"),
                                         {}});
  };
#define PYVAE_ADD(name, ...) add(#name);
  PYVAE_OPS(PYVAE_ADD)
#undef PYVAE_ADD
  const auto one_pass = [&](const std::string& name, OnePass when, bool folds_rows) {
    Joined& j = all.at("pyvae::" + name);
    j.value_grad = find("_" + name + "_value_grad");
    j.value_grad_inplace = find("_" + name + "_value_grad_");
    j.one_pass = when;
    j.folds_rows = folds_rows;
  };
  one_pass("bernoulli_log_prob", bernoulli_is_one_pass, true);
  one_pass("gaussian_log_prob", gaussian_is_one_pass, true);
  one_pass("bernoulli_elbo_loss", elbo_is_one_pass, false);
  one_pass("gaussian_elbo_loss", elbo_is_one_pass, false);
  return all;
}

const Joined& joined(const c10::OperatorHandle& op) {
  static const Table table = [] {
    Table t;
    t.all = join_all();
    for (const auto& [name, join] : t.all) {
      for (const std::string suffix : {"", "_backward", "_inplace"}) {
        const auto other = c10::Dispatcher::singleton().findSchema({name + suffix, ""});
        if (other) t.by_schema.emplace(&other->schema(), &join);
      }
    }
    return t;
  }();
  return *table.by_schema.at(&op.schema());
}

// ---- Small helpers over IValues ----

bool has_tensor(const c10::IValue& v) { return v.isTensor() && v.toTensor().defined(); }
bool is_float(const Tensor& t) { return at::isFloatingType(t.scalar_type()); }

bool any_tangent(const Values& args) {
  for (const auto& v : args)
    if (has_tensor(v) && is_float(v.toTensor()) && v.toTensor()._fw_grad(/*level=*/0).defined())
      return true;
  return false;
}
bool any_requires_grad(const Values& args) {
  if (!at::GradMode::is_enabled()) return false;
  for (const auto& v : args)
    if (has_tensor(v) && v.toTensor().requires_grad()) return true;
  return false;
}

// The op below autograd.
void redispatch(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
  at::AutoDispatchBelowADInplaceOrView guard;
  op.redispatchBoxed(keys & c10::after_autograd_keyset, stack);
}

c10::IValue bools(const std::vector<bool>& mask) {
  c10::List<bool> list;
  for (bool b : mask) list.push_back(b);
  return list;
}

// Arguments kept for the backward: tensors as saved variables, the rest as they are.
struct SavedArgs {
  Values plain;
  std::vector<std::optional<ag::SavedVariable>> tensors;

  void save(const Values& args) {
    for (const auto& v : args) {
      if (has_tensor(v)) {
        tensors.emplace_back(std::in_place, v.toTensor(), false);
        plain.emplace_back();
      } else {
        tensors.emplace_back();
        plain.push_back(v);
      }
    }
  }
  Values unpack() const {
    Values args;
    for (size_t i = 0; i < plain.size(); ++i)
      args.push_back(tensors[i] ? c10::IValue(tensors[i]->unpack()) : plain[i]);
    return args;
  }
  void release() {
    for (auto& t : tensors)
      if (t) t->reset_data();
  }
};

ag::edge_list edges_of(const Values& args) {
  ag::edge_list edges;
  for (const auto& v : args)
    if (has_tensor(v)) edges.push_back(ag::impl::gradient_edge(v.toTensor()));
  return edges;
}

// ---- Derivatives beyond the first: the specification, differentiated ----

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
ag::variable_list reference_vjp(const Joined& op, const Values& grads, const Values& args,
                                const std::vector<bool>& wanted) {
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

std::vector<bool> bools_of(const c10::IValue& mask) {
  std::vector<bool> out;
  for (bool b : mask.toBoolList()) out.push_back(b);
  return out;
}

// ---- Nodes ----

// The derivative of a backward op.
struct SecondNode : ag::Node {
  const Joined* op = nullptr;
  SavedArgs saved;  // incoming gradients, arguments, mask
  std::mutex mutex;

  std::string name() const override { return op->name + "_backward_backward"; }
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex);
    saved.release();
  }
  ag::variable_list apply(ag::variable_list&& grads) override {
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
};

// The derivative of an op: its backward op, or gradients that the forward made already.
struct FirstNode : ag::Node {
  const Joined* op = nullptr;
  SavedArgs saved;
  std::vector<bool> optional_none;  // by tensor-or-None argument: no edge
  std::vector<std::optional<ag::SavedVariable>> made;
  int64_t made_numel = 0;
  double folded = 1;       // what the gradients in `made` were multiplied by
  bool overwrote = false;  // made[1] is argument 1's storage: scaled in place, once
  std::mutex mutex;

  std::string name() const override { return op->name + "_backward"; }
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex);
    saved.release();
    for (auto& g : made)
      if (g) g->reset_data();
  }

  ag::variable_list apply(ag::variable_list&& grads) override {
    std::lock_guard<std::mutex> lock(mutex);
    ag::variable_list result(num_outputs());
    bool any = false;
    for (const Tensor& g : grads) any |= g.defined();
    if (!any) return result;
    if (!made.empty() && !at::GradMode::is_enabled() && (overwrote || !again_is_less(grads[0]))) {
      for (size_t i = 0; i < made.size(); ++i)
        if (made[i] && task_should_compute_output(i))
          result[i] = scaled(made[i]->unpack(), grads[0], folded, overwrote && i == 1);
      return result;
    }
    std::vector<bool> mask;
    size_t edge = 0;
    for (bool none : optional_none) {
      mask.push_back(!none && task_should_compute_output(edge));
      edge += !none;
    }
    Stack stack;
    for (Tensor& g : grads)
      stack.push_back(g.defined() ? c10::IValue(std::move(g)) : c10::IValue());
    for (auto& v : saved.unpack()) stack.push_back(std::move(v));
    stack.push_back(bools(mask));
    if (at::GradMode::is_enabled() || any_tangent(stack)) {
      op->backward.callBoxed(&stack);
    } else {  // nothing will differentiate this: straight to the kernel
      at::AutoDispatchBelowADInplaceOrView guard;
      op->backward.callBoxed(&stack);
    }
    edge = 0;
    for (size_t i = 0; i < optional_none.size(); ++i) {
      if (optional_none[i]) continue;
      if (stack[i].isTensor()) result[edge] = stack[i].toTensor();
      ++edge;
    }
    return result;
  }

  // Few elements that would have to be scaled: the kernel does it all in one call.
  bool again_is_less(const Tensor& grad) const {
    return made_numel < 16384 && !(grad.is_cpu() && all_equal(grad, folded));
  }

  // g / folded * grad: g itself where they cancel; in place where nothing else can see g, or where
  // it must not be used again.
  static Tensor scaled(const Tensor& g, const Tensor& grad, double folded, bool consume) {
    if (consume) ag::impl::bump_version(g);
    const bool plain = !at::isTensorSubclassLike(g) && !at::isTensorSubclassLike(grad);
    if (plain && grad.is_cpu() && all_equal(grad, folded)) return g;
    auto sizes = grad.sym_sizes().vec();
    sizes.resize(g.dim(), 1);
    Tensor weight = grad.reshape_symint(sizes).to(g.scalar_type());
    if (folded != 1) weight = weight / folded;
    const bool once = plain && !ag::get_current_graph_task_keep_graph();
    return once || consume ? Tensor(g).mul_(weight) : g * weight;
  }

  static bool all_equal(const Tensor& grad, double value) {
    Tensor t = grad;
    for (int64_t d = grad.dim(); d-- > 0;)
      if (t.stride(d) == 0 && t.size(d) > 0) t = t.select(d, 0);  // an expanded number
    if (t.numel() == 0 || !t.is_contiguous()) return false;
    const auto all = [&](auto expected) {
      using T = decltype(expected);
      const T* p = t.const_data_ptr<T>();
      for (int64_t i = 0; i < t.numel(); ++i)
        if (p[i] != expected) return false;
      return true;
    };
    if (t.scalar_type() == at::kFloat) return all(static_cast<float>(value));
    return t.scalar_type() == at::kDouble && all(value);
  }
};

}  // namespace

namespace {

// Which tensor arguments want a gradient; records in the node which arguments are None.
std::vector<bool> wanted(const Values& args, FirstNode* node) {
  std::vector<bool> mask;
  for (const auto& v : args) {
    if (!v.isTensor() && !v.isNone()) continue;
    const bool defined = has_tensor(v);
    if (node) node->optional_none.push_back(!defined);
    mask.push_back(defined && v.toTensor().requires_grad());
  }
  return mask;
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
void run_one_pass(const c10::OperatorHandle& op, const std::vector<bool>& mask, FirstNode* node,
                  Stack* stack) {
  stack->push_back(bools(mask));
  {
    at::AutoDispatchBelowADInplaceOrView guard;
    op.callBoxed(stack);
  }
  const size_t grads = mask.size(), first = stack->size() - grads;
  for (size_t i = 0; i < grads; ++i) {
    node->made.emplace_back();
    if (!has_tensor((*stack)[first + i])) continue;
    const Tensor g = (*stack)[first + i].toTensor();
    node->made.back().emplace(g, false);
    node->made_numel += g.numel();
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

FirstNode* first_node(const Joined& join, const Values& args, NodePtr& owner) {
  FirstNode* node = make_node<FirstNode>(owner);
  node->op = &join;
  node->set_next_edges(edges_of(args));
  node->saved.save(args);
  return node;
}

// What a tensor that was overwritten has for a history.
struct OverwrittenNode : ag::Node {
  const Joined* op = nullptr;
  std::string name() const override { return op->name + "_overwritten"; }
  ag::variable_list apply(ag::variable_list&&) override {
    TORCH_CHECK(false, op->name,
                ": inplace=True overwrote argument 1 with its gradient, so it has "
                "no use after the call; drop inplace=True to use it again");
  }
};

// A tensor of this call alone: its storage may become its gradient's.
bool may_overwrite(const Joined& join, const Values& args, const Tensor& t,
                   const std::vector<bool>& mask) {
  if (!all_plain(args) || !backend(t.device().type())) return false;
  for (size_t i = 0; i < args.size(); ++i)
    if (i != 1 && has_tensor(args[i]) && args[i].toTensor().is_alias_of(t)) return false;
  if (!t.is_non_overlapping_and_dense() || !join.one_pass(args, mask, false)) return false;
  const auto* view = ag::impl::get_view_autograd_meta(t);
  return !view || !view->has_bw_view() || view->get_creation_meta() == ag::CreationMeta::DEFAULT;
}

}  // namespace

void autograd_forward(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
  const Joined& join = joined(op);
  const Values args(stack->end() - join.args, stack->end());
  if (any_tangent(args)) return join.reference.callBoxed(stack);
  if (!any_requires_grad(args)) return redispatch(op, keys, stack);
  NodePtr owner;
  FirstNode* node = first_node(join, args, owner);
  const std::vector<bool> mask = wanted(args, node);
  if (join.value_grad && all_plain(args) && backend(first_device(args)) &&
      join.one_pass(args, mask, true))
    run_one_pass(*join.value_grad, mask, node, stack);
  else
    redispatch(op, keys, stack);
  attach(owner, join.results, stack);
}

void autograd_inplace(const c10::OperatorHandle& op, c10::DispatchKeySet, Stack* stack) {
  const Joined& join = joined(op);
  const Values args(stack->end() - join.args, stack->end());
  const Tensor& t = args[1].toTensor();
  const bool wants = at::GradMode::is_enabled() && t.requires_grad();
  const bool of_leaf =
      t.is_leaf() || (t.is_view() && t._base().is_leaf() && t._base().requires_grad());
  if (wants && of_leaf && !at::isTensorSubclassLike(t))
    C10_THROW_ERROR(ValueError, c10::str(join.name, ": inplace=True would overwrite ",
                                         op.schema().arguments()[1].name(),
                                         ", a leaf that requires grad or a view of one; pass the "
                                         "output of a layer, or drop inplace=True"));
  std::vector<bool> mask = wanted(args, nullptr);
  if (!wants || any_tangent(args) || !may_overwrite(join, args, t, mask))
    return join.forward.callBoxed(stack);
  NodePtr owner, tomb;
  FirstNode* node = first_node(join, args, owner);
  wanted(args, node);
  node->overwrote = true;
  run_one_pass(*join.value_grad_inplace, mask, node, stack);
  ag::impl::bump_version(t);
  node->made[1].emplace(t.detach(), false);
  auto* overwritten = make_node<OverwrittenNode>(tomb);
  overwritten->op = &join;
  overwritten->add_next_edge(ag::impl::gradient_edge(t));
  overwritten->add_input_metadata(t);
  ag::impl::rebase_history(t, ag::Edge(tomb, 0));
  attach(owner, join.results, stack);
}

void autograd_backward(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
  const Joined& join = joined(op);
  const size_t count = join.results + join.args + 1;
  const Values args(stack->end() - count, stack->end());
  if (any_tangent(args)) {
    at::AutoGradMode enable(true);
    const Aliased alias(args);
    const auto first = alias.args.begin() + join.results;
    const auto g = reference_vjp(join, Values(alias.args.begin(), first),
                                 Values(first, alias.args.end() - 1), bools_of(args.back()));
    torch::jit::drop(*stack, count);
    for (const Tensor& t : g) stack->emplace_back(t);
    return;
  }
  if (!any_requires_grad(args)) return redispatch(op, keys, stack);
  NodePtr owner;
  SecondNode* node = make_node<SecondNode>(owner);
  node->op = &join;
  node->set_next_edges(edges_of(args));
  node->saved.save(args);
  redispatch(op, keys, stack);
  attach(owner, op.schema().returns().size(), stack);
}

}  // namespace pyvae
