#include "plan.h"

#include <c10/util/Exception.h>

#include <algorithm>

namespace pyvae {

Dtype kernel_dtype(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble: return Dtype::f64;
    case at::kBFloat16: return Dtype::bf16;
    case at::kHalf: return Dtype::f16;
    case at::kByte:
    case at::kBool: return Dtype::u8;
    default: return Dtype::f32;
  }
}

Plan::Plan(c10::ArrayRef<int64_t> sizes, int64_t batch_ndim, bool sums)
    : sizes_(sizes.begin(), sizes.end()), batch_ndim_(batch_ndim), barrier_(sums ? batch_ndim : -1) {}

void Plan::add(int slot, const Tensor& t) {
  Aligned& v = views_[slot];
  v.used = true;
  v.data = t.data_ptr();
  v.dtype = kernel_dtype(t.scalar_type());
  v.strides.assign(sizes_.size(), 0);
  const auto sizes = t.sizes(), strides = t.strides();
  const size_t shift = sizes_.size() - sizes.size();
  for (size_t d = 0; d < sizes.size(); ++d)
    v.strides[d + shift] = sizes[d] == 1 ? 0 : strides[d];
}

void Plan::add_per_row(int slot, const Tensor& t) {
  add(slot, t);  // aligned as if it ended the shape; move it to the front
  Aligned& v = views_[slot];
  const size_t event = sizes_.size() - batch_ndim_;
  std::rotate(v.strides.begin(), v.strides.begin() + event, v.strides.end());
  std::fill(v.strides.begin() + batch_ndim_, v.strides.end(), 0);
}

void Plan::add_noise(const Tensor& seed) {
  Aligned& noise = views_[kNoiseIndex];
  noise.used = true;
  noise.data = this;  // an index, not memory: only its strides are read
  noise.strides.assign(sizes_.size(), 0);
  int64_t stride = 1;
  const bool many = seed.dim() == 1;
  for (size_t d = sizes_.size(); d-- > 0;) {
    if (many && d == 0) break;
    noise.strides[d] = sizes_[d] == 1 ? 0 : stride;
    stride *= sizes_[d];
  }
  Aligned& s = views_[kSeed];
  s.used = true;
  s.data = seed.data_ptr();
  s.dtype = Dtype::f64;  // eight bytes
  s.strides.assign(sizes_.size(), 0);
  if (many && seed.size(0) > 1) s.strides[0] = seed.stride(0);
  streams_ = many ? seed.size(0) : 1;
}

c10::SmallVector<Plan::Dim, 8> Plan::merged() const {
  c10::SmallVector<Dim, 8> dims;
  for (size_t d = 0; d < sizes_.size(); ++d) {
    if (sizes_[d] == 1) continue;
    Dim dim{sizes_[d], barrier_ < 0 || static_cast<int64_t>(d) >= barrier_, {}};
    for (int s = 0; s < kSlots; ++s) dim.strides[s] = views_[s].used ? views_[s].strides[d] : 0;
    bool merge = !dims.empty() && dims.back().event == dim.event;
    for (int s = 0; merge && s < kSlots; ++s)
      merge = dims.back().strides[s] == dim.strides[s] * dim.size;
    if (merge) dim.size *= dims.back().size, dims.back() = dim;
    else dims.push_back(dim);
  }
  return dims;
}

bool Plan::event_is_split() const {
  int count = 0;
  for (const Dim& d : merged()) count += d.event;
  return count > 1;
}

Rows Plan::rows() const {
  auto dims = merged();
  Rows r;
  for (int s = 0; s < kSlots; ++s) {
    if (!views_[s].used) continue;
    r.view[s].data = views_[s].data;
    r.view[s].dtype = views_[s].dtype;
  }
  // A dimension of streams is never a row's columns: each has its own seed.
  if (!dims.empty() && dims.back().event && dims.back().strides[kSeed] == 0) {
    r.cols = dims.back().size;
    for (int s = 0; s < kSlots; ++s) r.view[s].step = dims.back().strides[s];
    dims.pop_back();
  } else {
    for (int s = 0; s < kSlots; ++s) r.view[s].step = 1;
  }
  TORCH_CHECK(dims.size() <= kMaxDims, "pyvae: operands with more than ", kMaxDims,
              " dimensions that do not merge; call .contiguous() first");
  int64_t numel = r.cols;
  for (const Dim& d : dims) {
    r.sizes[r.ndim] = d.size;
    for (int s = 0; s < kSlots; ++s) r.view[s].strides[r.ndim] = d.strides[s];
    ++r.ndim;
    r.rows *= d.size;
  }
  numel *= r.rows;
  r.stream_length = streams_ ? numel / streams_ : 0;
  return r;
}

int64_t Plan::group(const Rows& r) const {
  int64_t batch = 1;
  for (int64_t d = 0; d < batch_ndim_; ++d) batch *= sizes_[d];
  return r.rows / std::max<int64_t>(batch, 1) * r.chunks();
}

GradKind grad_kind(const Rows& r, int operand) {
  const View& g = r.view[kGrad + operand];
  if (g.step == 0 && r.cols > 1) return GradKind::row_sums;
  for (int d = 0; d < r.ndim; ++d)
    if (g.strides[d] == 0) return GradKind::columns;
  return GradKind::full;
}

Rows reduced_last(const Rows& r, int operand) {
  Rows out = r;
  for (int k = 0; k < kMaxIn; ++k) {
    View& g = out.view[kGrad + k];
    bool same = g.data && grad_kind(r, k) == GradKind::columns;
    for (int d = 0; same && d < r.ndim; ++d)
      same = (g.strides[d] == 0) == (r.view[kGrad + operand].strides[d] == 0);
    if (!same) g.data = nullptr;
  }
  int to = 0;
  for (int pass = 0; pass < 2; ++pass) {
    for (int d = 0; d < r.ndim; ++d) {
      if ((r.view[kGrad + operand].strides[d] == 0) != (pass == 1)) continue;
      out.sizes[to] = r.sizes[d];
      for (int s = 0; s < kSlots; ++s) out.view[s].strides[to] = r.view[s].strides[d];
      ++to;
    }
    if (pass == 0) out.kept = to;
  }
  return out;
}

}  // namespace pyvae
