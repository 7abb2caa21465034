// From tensors to rows: aligns every operand with the broadcast shape, merges neighbouring
// dimensions, and says which gradients are sums.
#pragma once

#include "check.h"

namespace pyvae {

constexpr size_t kMaxRank = 16;  // dimensions of a broadcast result

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

  bool event_is_split();  // the event needs more than one stretch of columns
  Rows rows();
  // Partial sums that make one value: stretches x chunks.
  int64_t group(const Rows& r) const;

 private:
  struct Aligned {
    void* data;
    Dtype dtype;
    int64_t strides[kMaxRank];
  };
  struct Dim {
    int64_t size;
    bool event;
    int64_t strides[kSlots];
  };
  Aligned& use(int slot, void* data, Dtype dtype);
  void merge();

  c10::ArrayRef<int64_t> sizes_;  // of the caller, who keeps them
  int64_t batch_ndim_, barrier_;
  int64_t streams_ = 1;
  int used_[kSlots], count_ = 0;
  Aligned views_[kSlots];  // those in use
  c10::SmallVector<Dim, 4> dims_;
};

Dtype kernel_dtype(at::ScalarType dtype);

// How the gradient of one operand comes about.
enum class GradKind { full, columns, row_sums };
GradKind grad_kind(const Rows& r, int operand);
// The same rows with the dimensions that gradient `operand` is summed over last, and no gradients
// but those that are summed over the same dimensions.
Rows reduced_last(const Rows& r, int operand);

}  // namespace pyvae
