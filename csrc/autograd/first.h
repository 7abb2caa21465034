// The derivative of an op.
#pragma once

#include <mutex>

#include "joined.h"

namespace pyvae {

// The derivative of an op: its backward op, or gradients that the forward made already.
struct FirstNode : ag::Node {
  const Joined* op = nullptr;
  SavedArgs saved;
  std::vector<bool> optional_none;  // by tensor-or-None argument: no edge
  std::vector<std::optional<ag::SavedVariable>> made;
  int64_t made_numel = 0;
  double folded = 1;       // what the gradients in `made` were multiplied by
  bool sums = false;       // some of `made` are sums over rows
  bool overwrote = false;  // made[1] is argument 1's storage: scaled in place, once
  std::mutex mutex;

  std::string name() const override { return op->name + "_backward"; }
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex);
    saved.release();
    for (auto& g : made)
      if (g) g->reset_data();
  }
  ag::variable_list apply(ag::variable_list&& grads) override;

 private:
  bool of_use(const Tensor& grad, std::optional<double> number) const;
};

}  // namespace pyvae
