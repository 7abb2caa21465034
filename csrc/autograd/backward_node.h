// The derivative of an op.
#pragma once

#include <mutex>

#include "op_info.h"

namespace pyvae {

// The derivative of an op: its backward op, or gradients that the forward made already.
struct BackwardNode : ag::Node {
  const OpInfo* op = nullptr;
  SavedArgs saved;
  std::vector<bool> optional_none;                            // by tensor-or-None argument: no edge
  std::vector<std::optional<ag::SavedVariable>> saved_grads;  // those of the forward, or none
  int64_t saved_numel = 0;
  double folded = 1;       // what they were multiplied by
  bool sums = false;       // some of them are sums over rows
  bool rounded = false;    // some of them are of 16 bits, too coarse to be scaled
  bool given = false;      // a caller has them already, who keeps the graph
  bool overwrote = false;  // saved_grads[1] is argument 1's storage: scaled in place, once
  std::mutex mutex;

  std::string name() const override { return op->name + "_backward"; }
  void release_variables() override {
    std::lock_guard<std::mutex> lock(mutex);
    saved.release();
    for (auto& g : saved_grads)
      if (g) g->reset_data();
  }
  ag::variable_list apply(ag::variable_list&& grads) override;

 private:
  bool mine() const;  // nothing else can see the ready gradients, now or later
  bool again(std::optional<double> number) const;
  bool usable(const Tensor& grad, std::optional<double> number) const;
  void use(const Tensor& grad, std::optional<double> number, ag::variable_list& result);
};

}  // namespace pyvae
