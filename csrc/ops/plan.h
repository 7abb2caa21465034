// From tensors to rows: aligns every operand with the broadcast shape and merges neighbouring
// dimensions.
#pragma once

#include "check.h"

namespace pyvae {

constexpr size_t kMaxRank = 16;  // dimensions of a broadcast result

class Plan {
 public:
  // The first `batch_ndim` dimensions are rows of their own; `sums`: rows end where the batch does.
  Plan(c10::ArrayRef<int64_t> sizes, int64_t batch_ndim, bool sums);

  // What is read, right-aligned with the sizes, broadcast by strides of 0.
  void read(int slot, const Tensor& t);
  // One number per batch index.
  void read_per_row(int slot, const Tensor& t);
  void write_per_row(int slot, const Tensor& t);
  // What is written, aligned likewise.
  void write(int slot, const Tensor& t);
  // Noise: index into a stream that is contiguous over the sizes, and the seed of each stream.
  void read_noise(const Tensor& seed);

  bool event_is_split();  // the event needs more than one run of columns
  Rows rows();

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
  Aligned& use(int slot, const void* data, Dtype dtype);
  void align(int slot, const void* data, const Tensor& t);
  void align_left(int slot, const void* data, const Tensor& t);
  void merge();

  c10::ArrayRef<int64_t> sizes_;  // of the caller, who keeps them
  int64_t barrier_;               // no row goes on beyond this dimension; none: -1
  int64_t streams_ = 1;
  int used_[kSlots], count_ = 0;
  Aligned views_[kSlots];  // those in use
  c10::SmallVector<Dim, 4> dims_;
};

Dtype kernel_dtype(at::ScalarType dtype);

}  // namespace pyvae
