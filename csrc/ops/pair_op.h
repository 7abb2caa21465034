// What the ops over pairs of rows share.
#pragma once

#include "../loops/pairs.h"
#include "check.h"
#include "plan.h"

namespace pyvae {

// Rows and columns of a matrix where it lies, to be read or to be written.
View read_matrix(const Tensor& t);
View written_matrix(const Tensor& t);

// (*batch, columns) as a matrix: in place where its dimensions collapse, else a copy.
Tensor as_matrix(const Tensor& t);

// A gradient (*batch, columns) as a matrix to write to; nothing, where it is undefined.
class GradMatrix {
 public:
  explicit GradMatrix(const Tensor& grad);
  View view() const { return grad_.defined() ? written_matrix(matrix_) : View{}; }
  void finish();

 private:
  Tensor grad_, matrix_;
};

// Memory for `numbers` of the compute type beside `t`.
Tensor pair_scratch(const Tensor& t, int64_t numbers, bool is_double);

// Tiles of owners below which a second thread costs more than it saves, by the work of one owner.
int64_t owner_grain(int64_t others, int64_t columns);

}  // namespace pyvae
