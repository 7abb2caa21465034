// What each op is joined to: its backward, its specification, and its pass that makes both value
// and gradients.
#pragma once

#include <optional>

#include "../ops/row_op.h"
#include "values.h"

namespace pyvae {

// Which gradients can come with the value in one pass; `worth`: and that is likely to move fewer
// bytes than doing the forward's work again.
using OnePass = Pass (*)(const Values& args, const std::vector<bool>& mask, bool worth);

struct Joined {
  std::string name;
  size_t args, results;
  c10::OperatorHandle forward, backward, reference;
  std::optional<c10::OperatorHandle> value_grad, value_grad_inplace;
  OnePass one_pass = nullptr;
  bool folds_rows = false;  // the gradients made in one pass are times -1 / rows
  size_t data = 0;          // the first arguments, of which only the reference has gradients
};

// By the op itself, its backward, or its permission to overwrite.
const Joined& joined(const c10::OperatorHandle& op);

}  // namespace pyvae
