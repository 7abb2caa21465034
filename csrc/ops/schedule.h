// What a call of the row loop does, as a list of passes: a value that can be looked at without
// running it. It depends on shapes, strides and the device's limits alone.
#pragma once

#include <c10/util/SmallVector.h>

#include <variant>

#include "backend.h"

namespace pyvae {

// Where a step's partial sums lie in the memory between the passes, in doubles, and beside them the
// parts of the values, and whether the sums were there already.
constexpr int64_t kNowhere = -1;
struct Places {
  int64_t sums = kNowhere, values = kNowhere, done = kNowhere;
};
struct Step {
  std::variant<Map, ReduceColumns, ReduceRows, Combine> pass;
  Places at;
};

struct Schedule {
  c10::SmallVector<Step, 1> steps;
  int64_t scratch = 0;  // doubles of memory between the passes
};

// What is wanted beside the views that `rows` has to write to.
struct Goal {
  void* value =
      nullptr;  // numbers of the compute type, `values` of them; null: none, or kElementValue
  int64_t values = 0;
  bool is_double = false;
  double ready = __builtin_nan("");  // as in Map and ReduceColumns
};

// `segment`: columns of one item of ReduceColumns on this device.
Schedule schedule(const Rows& rows, const Goal& goal, const Limits& limits, int64_t segment);

// Runs the passes with `scratch` doubles of memory.
void run(Schedule& schedule, const Backend& device, const Kernel& kernel, double* scratch);

// How the gradient of one operand comes about.
enum class GradKind { full, columns, rows };
GradKind grad_kind(const Rows& r, int operand);
// The same rows with the dimensions that gradient `operand` is summed over last, and no gradients
// but those that are summed over the same dimensions.
ReduceColumns summed_last(const Rows& r, int operand);

}  // namespace pyvae
