// From tensors to rows: aligns every operand with the broadcast shape, merges neighbouring
// dimensions, and says which gradients are sums.
#pragma once

#include "check.h"

namespace pyvae {

class Plan {
 public:
  // The first `batch_ndim` dimensions are rows of their own; `sums`: rows end where the batch does.
  Plan(c10::ArrayRef<int64_t> sizes, int64_t batch_ndim, bool sums);

  // Right-aligned with the sizes, broadcast by strides of 0.
  void add(int slot, const Tensor& t);
  // One number per batch index.
  void add_per_row(int slot, const Tensor& t);
  // Noise: index into a stream that is contiguous over the sizes, and the seed of each stream.
  void add_noise(const Tensor& seed);

  bool event_is_split() const;  // the event needs more than one stretch of columns
  Rows rows() const;
  // Partial sums that make one value: stretches x chunks.
  int64_t group(const Rows& r) const;

 private:
  struct Aligned {
    bool used = false;
    void* data = nullptr;
    Dtype dtype = Dtype::f32;
    Shape<int64_t> strides;
  };
  struct Dim {
    int64_t size;
    bool event;
    int64_t strides[kSlots];
  };
  c10::SmallVector<Dim, 8> merged() const;

  Shape<int64_t> sizes_;
  int64_t batch_ndim_, barrier_;
  int64_t streams_ = 1;
  Aligned views_[kSlots];
};

Dtype kernel_dtype(at::ScalarType dtype);

// How the gradient of one operand comes about.
enum class GradKind { full, columns, row_sums };
GradKind grad_kind(const Rows& r, int operand);
// The same rows with the dimensions that gradient `operand` is summed over last, and no gradients but
// those that are summed over the same dimensions.
Rows reduced_last(const Rows& r, int operand);

}  // namespace pyvae
