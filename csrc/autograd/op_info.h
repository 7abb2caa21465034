// What autograd knows of an op: its backward, its specification, and the pass that makes both value
// and gradients.
#pragma once

#include <functional>
#include <optional>

#include "../ops/row_op.h"
#include "values.h"

namespace pyvae {

// Which gradients can come with the value in one pass; `worth`: and that is likely to move fewer
// bytes than doing the forward's work again.
using OnePassRule = std::function<OnePass(const Values& args, const Mask& mask, bool worth)>;

// Makes gradients again in the memory of those that came with the value for the incoming gradient
// `folded`, where it is another one. Those that are undefined are not wanted.
using Refill =
    std::function<void(const Tensor& grad, const Values& args, double folded, const Grads& made)>;

struct OpInfo {
  std::string name;               // without its namespace
  size_t args, tensors, results;  // tensors: the first arguments that are one, or None
  c10::OperatorHandle forward, backward, reference;
  std::optional<c10::OperatorHandle> value_grad, value_grad_inplace;
  OnePassRule one_pass;
  Refill refill;            // none: gradients of 16 bits that do not serve are made anew
  bool folds_rows = false;  // the gradients made in one pass are times -1 / rows
  size_t data = 0;          // the first arguments, of which only the reference has gradients
};

}  // namespace pyvae
