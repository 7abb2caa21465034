#include "row_call.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/accumulate.h>

namespace pyvae {
namespace {

// Where the event of some operands lies in another order than that of the rest (channels_last
// beside NCHW), those operands are copied; broadcast ones are still read in place.
Operands align_layout(Ints shape, int64_t batch_ndim, const Operands& in) {
  bool contiguous = true;
  for (const Tensor& t : in) contiguous &= t.is_contiguous();
  if (contiguous) return in;
  Plan plan(shape, batch_ndim, true);
  for (size_t i = 0; i < in.size(); ++i) plan.read(kInput + static_cast<int>(i), in[i]);
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

RowCall::RowCall(const Kernel& kernel, const Operands& in, Ints shape, int64_t batch_ndim,
                 bool sums)
    : kernel_(kernel), device_(backend(in[0].device().type())),
      elements_(sums && device_->limits.elements &&
                c10::multiply_integers(shape.slice(batch_ndim)) == 1),
      originals_(in), in_(sums && !elements_ ? align_layout(shape, batch_ndim, in) : in),
      plan_(shape, batch_ndim, sums && !elements_), batch_(shape.slice(0, batch_ndim)),
      empty_(c10::multiply_integers(shape) == 0) {
  for (size_t i = 0; i < in_.size(); ++i) plan_.read(kInput + static_cast<int>(i), in_[i]);
}

void RowCall::want(const Mask& mask, double scale, int overwrite) {
  scale_ = scale;
  grads_.resize(in_.size());
  for (size_t i = 0; i < in_.size(); ++i) {
    if (!mask[i]) continue;
    const bool given = static_cast<int>(i) == overwrite;
    grads_[i] = given ? originals_[i] : empty_ ? at::zeros_like(in_[i]) : at::empty_like(in_[i]);
    plan_.write(kGrad + static_cast<int>(i), grads_[i]);
  }
}

void RowCall::want_again(const Grads& made, double scale, double folded) {
  scale_ = scale, ready_ = folded;
  for (size_t i = 0; i < made.size(); ++i)
    if (made[i].defined()) plan_.write(kGrad + static_cast<int>(i), made[i]);
}

Tensor RowCall::value_tensor() const {
  const auto options = in_[0].options().dtype(kernel_.is_double ? at::kDouble : at::kFloat);
  return empty_ ? at::zeros(batch_, options) : at::empty(batch_, options);
}

void RowCall::run(const Tensor& value) {
  if (empty_) return;
  if (elements_ && value.defined()) plan_.write_per_row(kElementValue, value);
  Rows rows = plan_.rows();
  rows.scale = scale_;
  Goal goal;
  goal.is_double = kernel_.is_double;
  goal.ready = ready_;
  if (value.defined() && !elements_)
    goal.value = value.mutable_data_ptr(), goal.values = value.numel();
  Schedule passes = schedule(rows, goal, device_->limits, device_->segment(kernel_));
  Tensor scratch;
  if (passes.scratch) scratch = at::empty({passes.scratch}, in_[0].options().dtype(at::kDouble));
  pyvae::run(passes, *device_, kernel_,
             scratch.defined() ? scratch.mutable_data_ptr<double>() : nullptr);
}

Grads RowCall::gradients() {
  for (size_t i = 0; i < grads_.size(); ++i) {
    if (!grads_[i].defined() || in_[i].is_same(originals_[i])) continue;
    const Tensor own = at::empty_like(originals_[i]);
    if (own.strides() != grads_[i].strides()) grads_[i] = own.copy_(grads_[i]);
  }
  return std::move(grads_);
}

}  // namespace pyvae
