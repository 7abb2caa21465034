// Arguments as the boxed kernels see them.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/saved_variable.h>

#include "../ops/row_op.h"

namespace pyvae {

namespace ag = torch::autograd;
using torch::jit::Stack;
using Values = std::vector<c10::IValue>;

inline bool has_tensor(const c10::IValue& v) { return v.isTensor() && v.toTensor().defined(); }
inline bool is_float(const Tensor& t) { return at::isFloatingType(t.scalar_type()); }

inline bool has_tangent(const Tensor& t) {
  return t.defined() && is_float(t) && t._fw_grad(/*level=*/0).defined();
}
inline bool any_tangent(const Values& args) {
  for (const auto& v : args)
    if (v.isTensor() && has_tangent(v.toTensor())) return true;
  return false;
}
inline bool any_requires_grad(const Values& args) {
  if (!at::GradMode::is_enabled()) return false;
  for (const auto& v : args)
    if (has_tensor(v) && v.toTensor().requires_grad()) return true;
  return false;
}

// The op below autograd.
inline void redispatch(const c10::OperatorHandle& op, c10::DispatchKeySet keys, Stack* stack) {
  at::AutoDispatchBelowADInplaceOrView guard;
  op.redispatchBoxed(keys & c10::after_autograd_keyset, stack);
}

inline c10::IValue bools(const Mask& mask) {
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

inline ag::edge_list edges_of(const Values& args) {
  ag::edge_list edges;
  for (const auto& v : args)
    if (has_tensor(v)) edges.push_back(ag::impl::gradient_edge(v.toTensor()));
  return edges;
}

inline Mask bools_of(const c10::IValue& mask) {
  Mask out;
  for (bool b : mask.toBoolList()) out.push_back(b);
  return out;
}

}  // namespace pyvae
