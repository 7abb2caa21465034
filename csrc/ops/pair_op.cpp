#include "pair_op.h"

#include <c10/util/accumulate.h>

#include <ATen/ops/empty.h>

namespace pyvae {

namespace {
View matrix_view(const Tensor& t, const void* data) {
  View v;
  v.data = const_cast<void*>(data);
  v.dtype = kernel_dtype(t.scalar_type());
  v.strides[0] = t.stride(0);
  v.step = t.stride(1);
  return v;
}
}  // namespace
View read_matrix(const Tensor& t) { return matrix_view(t, t.const_data_ptr()); }
View written_matrix(const Tensor& t) { return matrix_view(t, t.mutable_data_ptr()); }

Tensor as_matrix(const Tensor& t) {
  if (t.dim() == 2) return t;
  return t.reshape({c10::multiply_integers(t.sizes().slice(0, t.dim() - 1)), t.size(-1)});
}

GradMatrix::GradMatrix(const Tensor& grad)
    : grad_(grad), matrix_(grad.defined() ? as_matrix(grad) : grad) {}

void GradMatrix::finish() {
  if (grad_.defined() && !matrix_.is_alias_of(grad_)) grad_.copy_(matrix_.view(grad_.sizes()));
}

Tensor pair_scratch(const Tensor& t, int64_t numbers, bool is_double) {
  return at::empty({numbers}, t.options().dtype(is_double ? at::kDouble : at::kFloat));
}

int64_t owner_grain(int64_t others, int64_t columns) {
  constexpr int64_t kWorth = 1 << 17;  // columns of pairs; a pair's exponential counts as eight
  return std::max<int64_t>(1, kWorth / std::max<int64_t>(1, kOwners * others * (columns + 8)));
}

}  // namespace pyvae
