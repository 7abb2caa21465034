#include "row_op.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace pyvae {
namespace {

using Ints = c10::ArrayRef<int64_t>;

int64_t product(Ints sizes) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  return n;
}

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

// One call of the row loop being put together.
class Call {
 public:
  Call(const RowOp& op, const Operands& in, Ints shape, int64_t batch_ndim, bool sums)
      : op_(op), originals_(in), in_(sums ? tidy(shape, batch_ndim, in) : in),
        plan_(shape, batch_ndim, sums), batch_(shape.slice(0, batch_ndim)),
        device_(backend(in[0].device().type())), double_(compute_dtype(in) == at::kDouble),
        empty_(product(shape) == 0) {
    for (size_t i = 0; i < in_.size(); ++i) plan_.add(kInput + i, in_[i]);
  }

  Plan& plan() { return plan_; }

  // Allocates the gradients that are wanted.
  void want(const Mask& mask, double scale = 1, int overwrite = -1) {
    scale_ = scale;
    grads_.resize(in_.size());
    for (size_t i = 0; i < in_.size(); ++i) {
      if (!mask[i]) continue;
      const bool given = static_cast<int>(i) == overwrite;
      grads_[i] = given ? originals_[i] : empty_ ? at::zeros_like(in_[i]) : at::empty_like(in_[i]);
      plan_.add(kGrad + i, grads_[i]);
    }
  }

  Tensor value_tensor() const {
    const auto options = in_[0].options().dtype(double_ ? at::kDouble : at::kFloat);
    return empty_ ? at::zeros(batch_, options) : at::empty(batch_, options);
  }

  // The value (if `value` is defined), the sample and the gradients that need no sum, in one pass.
  void forward(const Tensor& value, Mode mode) {
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

  // Value and gradients, in one pass where there is one for them.
  void value_and_gradients(const Tensor& value) {
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
    if (!one || !device_->column_segments || !device_->columns_write_full) {
      forward(value, Mode::value);
      return gradients();
    }
    const int64_t segments = device_->column_segments(double_, r.cols);
    const Tensor partial = scratch({r.rows * segments});
    columns(reduced_last(r, sum), &full, partial.data_ptr<double>());
    device_->sum_groups(partial.const_data_ptr<double>(), value.numel(),
                        r.rows * segments / value.numel(), double_, value.data_ptr());
  }

  Grads backward() {
    gradients();
    return finish();
  }

  // Gradients in the layout of the operands as they were given.
  Grads finish() {
    for (size_t i = 0; i < grads_.size(); ++i) {
      if (!grads_[i].defined() || in_[i].is_same(originals_[i])) continue;
      const Tensor own = at::empty_like(originals_[i]);
      if (own.strides() != grads_[i].strides()) grads_[i] = own.copy_(grads_[i]);
    }
    return std::move(grads_);
  }

 private:
  void run(Mode mode, const Rows& r) const { device_->run(op_.kernel, double_, mode, r); }
  Tensor scratch(Ints sizes) const { return at::empty(sizes, in_[0].options().dtype(at::kDouble)); }

  void gradients() {
    if (!empty_) {
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
  }

  // The gradients of a group that are summed over the same dimensions, and those of `full` and the
  // parts of the value in the same pass.
  void columns(const Rows& group, const Rows* full, double* row_value = nullptr) {
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

  void row_sums(const Rows& all, int i) {
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

  // The gradient's own dimensions are those it has strides along; the others are summed over.
  void sum_rows(const Rows& r, int i, const Tensor& partial) {
    const View& g = r.view[kGrad + i];
    c10::SmallVector<int64_t, 8> all(r.sizes, r.sizes + r.ndim), summed{r.ndim}, sizes, strides;
    all.push_back(r.chunks());
    for (int d = 0; d < r.ndim; ++d) {
      if (g.strides[d] == 0) {
        summed.push_back(d);
      } else {
        sizes.push_back(r.sizes[d]);
        strides.push_back(g.strides[d]);
      }
    }
    grads_[i].as_strided(sizes, strides).copy_(partial.view(all).sum(summed));
  }

  const RowOp& op_;
  Operands originals_, in_;
  Plan plan_;
  Ints batch_;
  const Backend* device_;
  bool double_, empty_;
  double scale_ = 1;
  Grads grads_;
};

Grads meta_grads(const Operands& in, const Mask& mask) {
  Grads g(in.size());
  for (size_t i = 0; i < in.size(); ++i)
    if (mask[i]) g[i] = at::empty_like(in[i]);
  return g;
}

at::ScalarType sample_dtype(const Operands& in) {
  return c10::promoteTypes(in[0].scalar_type(), in[1].scalar_type());
}

Tensor empty_sample(const Operands& in, c10::SymIntArrayRef shape) {
  return at::empty_symint(shape, in[0].options().dtype(sample_dtype(in)));
}

}  // namespace

Tensor row_value(const RowOp& op, const Operands& in, int64_t batch_ndim) {
  if (in[0].is_meta()) {
    const auto shape = broadcast<c10::SymInt>(op, in, batch_ndim);
    return at::empty_symint(c10::SymIntArrayRef(shape).slice(0, batch_ndim),
                            in[0].options().dtype(compute_dtype(in)));
  }
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  Call call(op, in, shape, batch_ndim, true);
  const Tensor value = call.value_tensor();
  call.forward(value, Mode::value);
  return value;
}

Grads row_backward(const RowOp& op, const Tensor& grad, const Operands& in, int64_t batch_ndim,
                   const Mask& mask) {
  if (in[0].is_meta()) return meta_grads(in, mask);
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  Call call(op, in, shape, batch_ndim, true);
  call.want(mask);
  if (grad.dim() != batch_ndim)
    C10_THROW_ERROR(ValueError, c10::str(op.name, "_backward: the incoming gradient must have ",
                                         batch_ndim, " dimensions, got shape ", grad.sizes()));
  check_gradient(op, grad, in);
  call.plan().add_per_row(kGradValue, grad);
  return call.backward();
}

Pass one_pass(const RowOp& op, const Operands& in, int64_t batch_ndim, const Mask& mask) {
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  Pass pass = Pass::rows;
  for (size_t i = 0; i < in.size(); ++i) {
    if (!mask[i]) continue;
    const auto dtype = in[i].scalar_type();
    if (dtype != at::kFloat && dtype != at::kDouble) return Pass::none;
    if (in[i].sizes() == Ints(shape)) continue;
    if (in[i].numel() != product(Ints(shape).slice(batch_ndim))) return Pass::none;
    pass = Pass::sums;
  }
  return pass;
}

Tensor row_value_grad(const RowOp& op, const Operands& in, int64_t batch_ndim, const Mask& mask,
                      const Tensor& weight, std::optional<double> scale, Grads& grads,
                      int overwrite) {
  if (in[0].is_meta()) {
    grads = meta_grads(in, mask);
    if (overwrite >= 0) grads[overwrite] = Tensor();
    return row_value(op, in, batch_ndim);
  }
  const auto shape = broadcast<int64_t>(op, in, batch_ndim);
  Call call(op, in, shape, batch_ndim, true);
  const auto rows = static_cast<double>(product(Ints(shape).slice(0, batch_ndim)));
  call.want(mask, scale.value_or(-1 / rows), overwrite);
  if (weight.defined()) call.plan().add_per_row(kGradValue, weight);
  const Tensor value = call.value_tensor();
  call.value_and_gradients(value);
  grads = call.finish();
  if (overwrite >= 0) grads[overwrite] = Tensor();
  return value;
}

Tensor row_sample(const RowOp& op, const Operands& in, const Tensor& seed,
                  c10::SymIntArrayRef shape) {
  check_sample(op, in, seed, shape);
  Tensor z = empty_sample(in, shape);
  if (z.is_meta() || z.numel() == 0) return z;
  Call call(op, in, z.sizes(), 0, false);
  call.plan().add_noise(seed);
  call.plan().add(kSample, z);
  call.forward(Tensor(), Mode::value);
  return z;
}

Grads row_sample_backward(const RowOp& op, const Tensor& grad_z, const Operands& in,
                          const Tensor& seed, const Mask& mask) {
  if (in[0].is_meta()) return meta_grads(in, mask);
  Call call(op, in, grad_z.sizes(), 0, false);
  check_gradient(op, grad_z, in);
  call.plan().add_noise(seed);
  call.plan().add(kGradSample, grad_z);
  call.want(mask);
  return call.backward();
}

std::tuple<Tensor, Tensor> row_sample_value(const RowOp& op, const Operands& in, const Tensor& seed,
                                            c10::SymIntArrayRef shape, int64_t batch_ndim) {
  check_sample(op, in, seed, shape);
  if (batch_ndim < 0 || batch_ndim > static_cast<int64_t>(shape.size()))
    C10_THROW_ERROR(ValueError,
                    c10::str(op.name, ": batch_ndim must be between 0 and ", shape.size(),
                             ", the dimensions of the sample, got ", batch_ndim));
  Tensor z = empty_sample(in, shape);
  if (z.is_meta())
    return {z, at::empty_symint(shape.slice(0, batch_ndim), z.options().dtype(compute_dtype(in)))};
  Call call(op, in, z.sizes(), batch_ndim, true);
  call.plan().add_noise(seed);
  call.plan().add(kSample, z);
  const Tensor value = call.value_tensor();
  call.forward(value, Mode::value);
  return {z, value};
}

Grads row_sample_value_backward(const RowOp& op, const Tensor& grad_z, const Tensor& grad_value,
                                const Operands& in, const Tensor& seed, c10::SymIntArrayRef shape,
                                int64_t batch_ndim, const Mask& mask) {
  if (in[0].is_meta()) return meta_grads(in, mask);
  Call call(op, in, C10_AS_INTARRAYREF_SLOW(shape), batch_ndim, true);
  call.plan().add_noise(seed);
  for (const Tensor* grad : {&grad_z, &grad_value})
    if (grad->defined()) check_gradient(op, *grad, in);
  if (grad_z.defined()) call.plan().add(kGradSample, grad_z);
  if (grad_value.defined()) call.plan().add_per_row(kGradValue, grad_value);
  call.want(mask, grad_value.defined() ? 1 : 0);
  return call.backward();
}

}  // namespace pyvae
