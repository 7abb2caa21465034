// Rows of classes: what the loop is given, no torch. The same for every device.
//
// A *position* has one index and a logit for each class; `rows` are rows of positions: operand 0
// the indices (of which dtype, `index_bytes` says), operand 1 the logits of class 0, gradient 1
// theirs. Dimensions from `kept` on are those that logits are shared along, where their gradient
// is a sum. Items are (kept row, `chunk` positions of it).
#pragma once

#include "divide.h"
#include "rows.h"

namespace pyvae {

constexpr int kMaxPlanes = 1024;  // classes of a position that lies beside others in a vector
constexpr int kClassTeam = 128;   // threads of an item, where they are a team

struct ClassRows {
  Map rows;
  int kept = 0;
  int64_t classes = 1;
  int64_t step = 1, grad_step = 1;  // between classes
  int index_bytes = 8;
  bool planes = false;  // vectors run along positions rather than along classes
  int64_t chunk = 1;
  // Consecutive positions that make one value, with its incoming gradient in the same order; 0:
  // each item makes one, and incoming gradients have strides.
  int64_t group = 0;

  PYVAE_FN int64_t chunks() const { return quotient(rows.cols + chunk - 1, chunk); }
};

}  // namespace pyvae
