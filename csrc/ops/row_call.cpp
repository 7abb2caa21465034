#include "row_call.h"

#include <ATen/core/DimVector.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/accumulate.h>

namespace pyvae {
namespace {

// Where the event of some operands lies in another order than that of the rest (channels_last
// beside NCHW), those operands are copied; broadcast ones are still read in place.
Operands tidy(Ints shape, int64_t batch_ndim, const Operands& in) {
  bool contiguous = true;
  for (const Tensor& t : in) contiguous &= t.is_contiguous();
  if (contiguous) return in;
  Plan plan(shape, batch_ndim, true);
  for (size_t i = 0; i < in.size(); ++i) plan.add(kInput + i, in[i]);
  if (!plan.event_is_split()) return in;
  Operands out = in;
  const int64_t event = static_cast<int64_t>(shape.size()) - batch_ndim;
  for (Tensor& t : out) {
    int64_t inner = 1;
    bool dense = t.dim() >= event;
    for (int64_t d = 1; dense && d <= event; ++d) {
      dense = t.size(-d) == shape[shape.size() - d];
      inner *= t.size(-d) == 1 || t.stride(-d) == inner ? t.size(-d) : 0;
    }
    if (dense && inner == 0) t = t.contiguous();
  }
  return out;
}

}  // namespace

RowCall::RowCall(const RowOp& op, const Operands& in, Ints shape, int64_t batch_ndim, bool sums)
    : op_(op), originals_(in), in_(sums ? tidy(shape, batch_ndim, in) : in),
      plan_(shape, batch_ndim, sums), batch_(shape.slice(0, batch_ndim)),
      device_(backend(in[0].device().type())), double_(compute_dtype(in) == at::kDouble),
      empty_(c10::multiply_integers(shape) == 0) {
  for (size_t i = 0; i < in_.size(); ++i) plan_.add(kInput + i, in_[i]);
}

void RowCall::want(const Mask& mask, double scale, int overwrite) {
  scale_ = scale;
  grads_.resize(in_.size());
  for (size_t i = 0; i < in_.size(); ++i) {
    if (!mask[i]) continue;
    const bool given = static_cast<int>(i) == overwrite;
    grads_[i] = given ? originals_[i] : empty_ ? at::zeros_like(in_[i]) : at::empty_like(in_[i]);
    plan_.add(kGrad + i, grads_[i]);
  }
}

Tensor RowCall::value_tensor() const {
  const auto options = in_[0].options().dtype(double_ ? at::kDouble : at::kFloat);
  return empty_ ? at::zeros(batch_, options) : at::empty(batch_, options);
}

void RowCall::forward(const Tensor& value, Mode mode) {
  if (empty_) return;
  Rows r = plan_.rows();
  r.scale = scale_;
  if (!value.defined()) return run(mode, r);
  const int64_t group = plan_.group(r);
  if (group == 1) {
    r.value = value.data_ptr();
    return run(mode, r);
  }
  const Tensor partial = scratch({r.rows * r.chunks()});
  r.value = partial.data_ptr();
  r.partial = true;
  run(mode, r);
  device_->sum_groups(partial.const_data_ptr<double>(), value.numel(), group, double_,
                      value.data_ptr());
}

void RowCall::value_and_gradients(const Tensor& value) {
  if (empty_) return;
  Rows r = plan_.rows(), full = r;
  r.scale = scale_;
  int sum = -1;  // a gradient that is a sum over all rows
  bool one = true;
  for (size_t i = 0; i < grads_.size(); ++i) {
    if (!grads_[i].defined() || grad_kind(r, i) == GradKind::full) continue;
    full.view[kGrad + i].data = nullptr;
    one &= grad_kind(r, i) == GradKind::columns && reduced_last(r, i).kept == 0;
    sum = static_cast<int>(i);
  }
  if (sum < 0) return forward(value, Mode::value_grad);
  if (!one || !device_->column_segments) {
    forward(value, Mode::value);
    return gradients();
  }
  const int64_t segments = device_->column_segments(double_, r.cols);
  const Tensor partial = scratch({r.rows * segments});
  columns(reduced_last(r, sum), &full, partial.data_ptr<double>());
  device_->sum_groups(partial.const_data_ptr<double>(), value.numel(),
                      r.rows * segments / value.numel(), double_, value.data_ptr());
}

Grads RowCall::backward() {
  gradients();
  return finish();
}

Grads RowCall::finish() {
  for (size_t i = 0; i < grads_.size(); ++i) {
    if (!grads_[i].defined() || in_[i].is_same(originals_[i])) continue;
    const Tensor own = at::empty_like(originals_[i]);
    if (own.strides() != grads_[i].strides()) grads_[i] = own.copy_(grads_[i]);
  }
  return std::move(grads_);
}

Tensor RowCall::scratch(Ints sizes) const {
  return at::empty(sizes, in_[0].options().dtype(at::kDouble));
}

void RowCall::gradients() {
  if (empty_) return;
  Rows r = plan_.rows();
  r.scale = scale_;
  Rows full = r;
  bool left = false, done[kMaxIn] = {};  // left: full gradients to be written
  for (size_t i = 0; i < grads_.size(); ++i) {
    if (!grads_[i].defined()) continue;
    if (grad_kind(r, i) == GradKind::full)
      left = true;
    else
      full.view[kGrad + i].data = nullptr;
  }
  for (size_t i = 0; i < grads_.size(); ++i) {
    if (!grads_[i].defined()) continue;
    const GradKind kind = grad_kind(r, i);
    if (kind == GradKind::columns && !done[i]) {
      const Rows group = reduced_last(r, i);
      for (int k = 0; k < kMaxIn; ++k) done[k] |= group.view[kGrad + k].data != nullptr;
      const bool both = left && device_->columns_write_full;
      columns(group, both ? &full : nullptr);
      left = left && !both;
    }
    if (kind == GradKind::row_sums) row_sums(r, i);
  }
  if (left) run(Mode::grad, full);
}

void RowCall::columns(const Rows& group, const Rows* full, double* row_value) {
  Rows r = group;
  r.row_value = row_value;
  const Mode mode = row_value ? Mode::columns_value : Mode::columns;
  int64_t kept = 1;
  for (int d = 0; d < r.kept; ++d) kept *= r.sizes[d];
  const int64_t summed = r.rows / kept, columns = kept * r.cols;
  // Few sums over many rows: cut the rows into parts, fixed by the shape alone.
  if (device_->splits)
    r.splits = device_->splits(columns, summed);
  else if (columns <= 4096)
    r.splits = std::min<int64_t>(8, (summed + 255) / 256);
  c10::SmallVector<int, kMaxIn> targets;
  for (int k = 0; k < kMaxIn; ++k)
    if (r.view[kGrad + k].data) targets.push_back(k);
  for (int k = 0; full && k < kMaxIn; ++k)
    if (full->view[kGrad + k].data) r.view[kGrad + k].data = full->view[kGrad + k].data;
  if (r.splits <= 1) return run(mode, r);
  const Tensor partial = scratch({static_cast<int64_t>(targets.size()), r.splits, columns});
  r.value = partial.data_ptr();
  run(mode, r);
  for (size_t t = 0; t < targets.size(); ++t) {
    const Tensor total = scratch({columns});
    device_->sum_splits(partial.const_data_ptr<double>() + t * r.splits * columns, r.splits,
                        columns, total.data_ptr<double>());
    // `total` runs over (kept dimensions, columns): the order of the gradient's own elements.
    const View& g = r.view[kGrad + targets[t]];
    c10::SmallVector<int64_t, 8> sizes(r.sizes, r.sizes + r.kept);
    c10::SmallVector<int64_t, 8> strides(g.strides, g.strides + r.kept);
    sizes.push_back(r.cols);
    strides.push_back(g.step);
    grads_[targets[t]].as_strided(sizes, strides).copy_(total.view(sizes));
  }
}

void RowCall::row_sums(const Rows& all, int i) {
  Rows r = all;
  r.target = i;
  for (int k = 0; k < kMaxIn; ++k)
    if (k != i) r.view[kGrad + k].data = nullptr;
  const Tensor partial = scratch({r.rows * r.chunks()});
  r.value = partial.data_ptr();
  r.partial = true;
  run(Mode::row_sums, r);
  if (!device_->scatter_rows) return sum_rows(r, i, partial);
  const Tensor sum = at::zeros_like(grads_[i], grads_[i].options().dtype(at::kDouble));
  device_->scatter_rows(r, i, partial.const_data_ptr<double>(), sum.data_ptr<double>());
  grads_[i].copy_(sum);
}

void RowCall::sum_rows(const Rows& r, int i, const Tensor& partial) {
  const View& g = r.view[kGrad + i];
  at::DimVector all, summed, sizes, strides;
  for (int d = 0; d < r.ndim; ++d) {
    all.push_back(r.sizes[d]);
    if (g.strides[d] == 0) {
      summed.push_back(d);
    } else {
      sizes.push_back(r.sizes[d]);
      strides.push_back(g.strides[d]);
    }
  }
  all.push_back(r.chunks());
  summed.push_back(r.ndim);
  grads_[i].as_strided(sizes, strides).copy_(partial.view(all).sum(summed));
}

}  // namespace pyvae
