// Every row of one matrix with every row of another: what such loops are given. No torch, the same
// for every device.
//
// The rows that results or gradients belong to are the owners, those they are paired with the
// others. An item of a task is a tile of kOwners owners, who take all the others in order: so sums
// have one order and need no atomics, whatever the number of threads. Nothing of the size of
// owners x others is stored.
#pragma once

#include "rows.h"

namespace pyvae {

constexpr int kOwners = 32;
constexpr int64_t owner_tiles(int64_t rows) { return (rows + kOwners - 1) / kOwners; }

// The log-density of points under a mixture. The columns may be cut into `problems` of `width`
// columns each, every one a mixture of its own with the same weights. Views have strides[0] between
// rows and `step` between columns.
struct Mixture {
  View points, means, logvars;
  View log_weights;  // strides[0] is 0 where all points share them; no data: `log_weight`
  double log_weight = 0;
  int64_t num_points = 0, num_components = 0, width = 0;
  int64_t first_problem = 0, problems = 1;  // those of this call
  View value;                               // (points, problems of this call)
  View grad_value;                          // (points, all problems)
  View grad_points, grad_means, grad_logvars;
  View grad_log_weights;  // of each point
  double* weight_sums =
      nullptr;              // of weights that all points share: one for each component, added to
  int64_t parts = 1;        // as pairs_parts.h says, and the memory that it asks for
  void* scratch = nullptr;  // nothing, where one thread takes all the others of a tile
};

// The squared maximum mean discrepancy of two samples, under a sum of kernels of several scales.
constexpr int kMaxScales = 64;
struct Discrepancy {
  View sample[2];
  int64_t rows[2] = {}, columns = 0;
  View scales;
  int num_scales = 0;
  double within[2] = {}, between = 0;  // what the sums of kernels are multiplied by
  bool skip_self = false;              // leave out each row with itself
  double* partial = nullptr;           // one part of the value for each item
  View grad_value;                     // one number
  View grad[2];
  int64_t parts = 1;  // as in Mixture; `partial` then is for each item and part
  void* scratch = nullptr;
};

}  // namespace pyvae
