#include "backward_node.h"

#include <ATen/TensorOperators.h>
#include <ATen/TensorSubclassLikeUtils.h>
#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/engine.h>

#include "../ops/plan.h"

namespace pyvae {
namespace {

// The number that all elements of a gradient are, where there is one and the host may look.
std::optional<double> common_number(const Tensor& grad) {
  if (!on_host(grad.device().type()) || at::isTensorSubclassLike(grad)) return {};
  Tensor t = grad;
  for (int64_t d = grad.dim(); d-- > 0;)
    if (t.stride(d) == 0 && t.size(d) > 0) t = t.select(d, 0);  // an expanded number
  if (t.numel() == 0 || !t.is_contiguous()) return {};
  const auto common = [&](auto zero) -> std::optional<double> {
    using T = decltype(zero);
    const T* p = t.const_data_ptr<T>();
    for (int64_t i = 0; i < t.numel(); ++i)
      if (p[i] != p[0]) return {};
    return std::isnan(p[0]) ? std::optional<double>() : p[0];
  };
  if (t.scalar_type() == at::kFloat) return common(0.f);
  return t.scalar_type() == at::kDouble ? common(0.) : std::nullopt;
}
bool is_folded(std::optional<double> number, const Tensor& grad, double folded) {
  return number == (grad.scalar_type() == at::kFloat ? static_cast<float>(folded) : folded);
}

bool is_plain(const Tensor& g, const Tensor& grad) {
  return !at::isTensorSubclassLike(g) && !at::isTensorSubclassLike(grad);
}

// The same in place on a device, which looks at the incoming gradient itself: all in one launch.
bool scaled_on_device(const Grads& made, const Tensor& grad, double folded) {
  const Backend* table = backend(grad.device().type());
  if (!table || !table->scale || grad.numel() == 0 || (grad.dim() > 1 && !grad.is_contiguous()))
    return false;
  Scale pass;
  for (const Tensor& g : made) {
    if (!g.defined()) continue;
    if (!pass.count) pass.is_double = g.scalar_type() == at::kDouble;
    if (!is_plain(g, grad) || !g.is_contiguous() || grad.device() != g.device() ||
        g.scalar_type() != (pass.is_double ? at::kDouble : at::kFloat))
      return false;
    pass.part[pass.count++] = {g.data_ptr(), g.numel() / grad.numel()};
  }
  pass.rows = grad.numel(), pass.folded = folded;
  pass.weight.data = const_cast<void*>(grad.const_data_ptr());
  pass.weight.dtype = kernel_dtype(grad.scalar_type());
  pass.weight.strides[0] = grad.dim() == 0 ? 0 : grad.dim() == 1 ? grad.stride(0) : 1;
  const c10::DeviceGuard guard(grad.device());
  table->scale(pass);
  return true;
}

// g / folded * grad, in place where g is used `once`.
Tensor scaled(const Tensor& g, const Tensor& grad, std::optional<double> number, double folded,
              bool once) {
  if (number) return once ? Tensor(g).mul_(*number / folded) : g * (*number / folded);
  auto sizes = grad.sym_sizes().vec();
  sizes.resize(g.dim(), 1);
  Tensor weight = grad.reshape_symint(sizes).to(g.scalar_type());
  if (folded != 1) weight = weight / folded;
  return once ? Tensor(g).mul_(weight) : g * weight;
}

}  // namespace

ag::variable_list BackwardNode::apply(ag::variable_list&& grads) {
  std::lock_guard<std::mutex> lock(mutex);
  ag::variable_list result(num_outputs());
  size_t count = 0;
  for (const Tensor& g : grads) count += g.defined();
  if (count == 0) return result;
  // They are those that the first result asks for.
  const bool ready = !saved_grads.empty() && count == 1 && grads[0].defined() &&
                     !at::GradMode::is_enabled() && !has_tangent(grads[0]);
  const auto number = ready ? common_number(grads[0]) : std::nullopt;
  if (ready && usable(grads[0], number)) {
    use(grads[0], number, result);
    return result;
  }
  Mask mask;
  size_t edge = 0;
  for (bool none : optional_none) {
    mask.push_back(!none && task_should_compute_output(edge));
    edge += !none;
  }
  Stack stack;
  for (Tensor& g : grads) stack.push_back(g.defined() ? c10::IValue(std::move(g)) : c10::IValue());
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

// Those of 16 bits, which scaling would round twice, and sums of rows that no one number scales.
bool BackwardNode::again(std::optional<double> number) const {
  return rounded || (sums && !number);
}

// Whether the ready gradients serve. Where they are few and would have to be scaled, the kernel
// does it all again in one call; a device scales them in one. Those that cannot be scaled are made
// again in their place, unless somebody may still need them as they are.
bool BackwardNode::usable(const Tensor& grad, std::optional<double> number) const {
  if (overwrote || is_folded(number, grad, folded)) return true;
  if (again(number)) return op->refill && !at::isTensorSubclassLike(grad) && mine();
  const Backend* table = backend(grad.device().type());
  return saved_numel >= 16384 || (table && table->scale);
}

bool BackwardNode::mine() const { return !given && !ag::get_current_graph_task_keep_graph(); }

// The ready gradients, for this incoming one.
void BackwardNode::use(const Tensor& grad, std::optional<double> number,
                       ag::variable_list& result) {
  Grads made(saved_grads.size());
  for (size_t i = 0; i < saved_grads.size(); ++i)
    if (saved_grads[i] && task_should_compute_output(i)) made[i] = saved_grads[i]->unpack();
  if (overwrote && made[1].defined()) ag::impl::bump_version(made[1]);
  if (is_folded(number, grad, folded)) {
    given |= !mine();
  } else if (again(number)) {
    const c10::DeviceGuard guard(grad.device());
    op->refill(grad, saved.unpack(), folded, made);
  } else if (number || !mine() || !scaled_on_device(made, grad, folded)) {
    for (size_t i = 0; i < made.size(); ++i) {
      if (!made[i].defined()) continue;
      const bool once = (overwrote && i == 1) || (mine() && is_plain(made[i], grad));
      made[i] = scaled(made[i], grad, number, folded, once);
    }
  }
  for (size_t i = 0; i < made.size(); ++i)
    if (made[i].defined()) result[i] = made[i];
}

}  // namespace pyvae
