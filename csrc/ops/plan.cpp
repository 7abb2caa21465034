#include "plan.h"

#include <c10/util/Exception.h>

#include <algorithm>

namespace pyvae {

Dtype kernel_dtype(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return Dtype::f64;
    case at::kBFloat16:
      return Dtype::bf16;
    case at::kHalf:
      return Dtype::f16;
    case at::kByte:
    case at::kBool:
      return Dtype::u8;
    case at::kShort:
      return Dtype::i16;
    case at::kInt:
      return Dtype::i32;
    case at::kLong:
      return Dtype::i64;
    default:
      return Dtype::f32;
  }
}

Plan::Plan(c10::ArrayRef<int64_t> sizes, int64_t batch_ndim, bool sums)
    : sizes_(sizes), barrier_(sums ? batch_ndim : -1) {
  TORCH_CHECK_VALUE(sizes.size() <= kMaxRank, "pyvae: at most ", kMaxRank,
                    " dimensions, got shape ", sizes);
}

// Views have one pointer for what is read and what is written; kernels keep the two apart.
Plan::Aligned& Plan::use(int slot, const void* data, Dtype dtype) {
  used_[count_++] = slot;
  Aligned& v = views_[slot];
  v.data = const_cast<void*>(data);
  v.dtype = dtype;
  std::fill_n(v.strides, sizes_.size(), 0);
  return v;
}

void Plan::align(int slot, const void* data, const Tensor& t) {
  Aligned& v = use(slot, data, kernel_dtype(t.scalar_type()));
  const auto sizes = t.sizes(), strides = t.strides();
  const size_t shift = sizes_.size() - sizes.size();
  for (size_t d = 0; d < sizes.size(); ++d) v.strides[d + shift] = sizes[d] == 1 ? 0 : strides[d];
}
void Plan::read(int slot, const Tensor& t) { align(slot, t.const_data_ptr(), t); }
void Plan::write(int slot, const Tensor& t) { align(slot, t.mutable_data_ptr(), t); }

void Plan::align_left(int slot, const void* data, const Tensor& t) {
  Aligned& v = use(slot, data, kernel_dtype(t.scalar_type()));
  const auto sizes = t.sizes(), strides = t.strides();
  for (size_t d = 0; d < sizes.size(); ++d) v.strides[d] = sizes[d] == 1 ? 0 : strides[d];
}
void Plan::read_per_row(int slot, const Tensor& t) { align_left(slot, t.const_data_ptr(), t); }
void Plan::write_per_row(int slot, const Tensor& t) { align_left(slot, t.mutable_data_ptr(), t); }

void Plan::read_noise(const Tensor& seed) {
  // An index, not memory: only its strides are read.
  Aligned& noise = use(kNoiseIndex, this, Dtype::f32);
  const bool many = seed.dim() == 1;
  int64_t stride = 1;
  for (size_t d = sizes_.size(); d-- > (many ? 1 : 0);) {
    noise.strides[d] = sizes_[d] == 1 ? 0 : stride;
    stride *= sizes_[d];
  }
  Aligned& s = use(kSeed, seed.const_data_ptr(), Dtype::i64);
  if (many && seed.size(0) > 1) s.strides[0] = seed.stride(0);
  streams_ = many ? seed.size(0) : 1;
}

// Neighbouring dimensions that every view walks as one.
void Plan::merge() {
  dims_.clear();
  for (size_t d = 0; d < sizes_.size(); ++d) {
    const int64_t size = sizes_[d];
    if (size == 1) continue;
    const bool event = barrier_ < 0 || static_cast<int64_t>(d) >= barrier_;
    bool join = !dims_.empty() && dims_.back().event == event;
    for (int i = 0; join && i < count_; ++i) {
      const int s = used_[i];
      join = dims_.back().strides[s] == views_[s].strides[d] * size;
    }
    if (join)
      dims_.back().size *= size;
    else
      dims_.push_back({size, event, {}});
    for (int i = 0; i < count_; ++i) dims_.back().strides[used_[i]] = views_[used_[i]].strides[d];
  }
}

bool Plan::event_is_split() {
  merge();
  int count = 0;
  for (const Dim& d : dims_) count += d.event;
  return count > 1;
}

Rows Plan::rows() {
  merge();
  Rows r;
  for (int i = 0; i < count_; ++i) {
    r.view[used_[i]].data = views_[used_[i]].data;
    r.view[used_[i]].dtype = views_[used_[i]].dtype;
    r.view[used_[i]].step = 1;
  }
  // A dimension of streams is never a row's columns: each has its own seed.
  if (!dims_.empty() && dims_.back().event && dims_.back().strides[kSeed] == 0) {
    r.cols = dims_.back().size;
    for (int i = 0; i < count_; ++i) r.view[used_[i]].step = dims_.back().strides[used_[i]];
    dims_.pop_back();
  }
  TORCH_CHECK(dims_.size() <= kMaxDims, "pyvae: operands with more than ", kMaxDims,
              " dimensions that do not merge; call .contiguous() first");
  for (const Dim& d : dims_) {
    r.sizes[r.ndim] = d.size;
    for (int i = 0; i < count_; ++i) r.view[used_[i]].strides[r.ndim] = d.strides[used_[i]];
    ++r.ndim;
    r.rows *= d.size;
  }
  r.stream_length = streams_ ? r.rows * r.cols / streams_ : 0;
  return r;
}

}  // namespace pyvae
